import type { Dispatcher } from 'undici';
import { type HttpResult, httpReply } from './reply.js';

type Headers = Record<string, string | string[] | undefined>;

export interface ExchangeLimits {
  readonly maxReplyBytes: number;
  readonly timeoutMs: number;
  readonly signal: AbortSignal | undefined;
}

/** What ended an exchange from our side. */
class Ended extends Error {
  constructor(
    readonly code: string,
    message: string,
  ) {
    super(message);
  }
}

/**
 * One request and its reply. It notes how far the request came, because what an error means depends on that:
 * before writing nothing happened, after writing anything may have, after the status only the body is missing.
 */
export class Exchange implements Dispatcher.DispatchHandler {
  readonly result: Promise<HttpResult>;
  private settle!: (result: HttpResult) => void;
  private controller: Dispatcher.DispatchController | undefined;
  private isWritten = false;
  private status = 0;
  private headers: Headers = {};
  private readonly chunks: Buffer[] = [];
  private size = 0;
  private ended: Ended | undefined;
  private readonly timer: NodeJS.Timeout;

  constructor(private readonly limits: ExchangeLimits) {
    this.result = new Promise((resolve) => {
      this.settle = resolve;
    });
    this.timer = setTimeout(
      () => this.end(new Ended('TIMEOUT', `no whole answer within ${limits.timeoutMs} ms`)),
      limits.timeoutMs,
    );
    if (limits.signal?.aborted) this.onAbort();
    else limits.signal?.addEventListener('abort', this.onAbort, { once: true });
  }

  get isOver(): boolean {
    return this.ended !== undefined;
  }

  onRequestStart(controller: Dispatcher.DispatchController): void {
    // It waited for a connection longer than it was allowed to: it must not be written any more.
    if (this.ended) {
      controller.abort(this.ended);
      return;
    }
    this.controller = controller;
    this.isWritten = true;
  }

  onResponseStart(_controller: Dispatcher.DispatchController, status: number, headers: Headers): void {
    if (status < 200) return;
    this.status = status;
    this.headers = headers;
  }

  onResponseData(_controller: Dispatcher.DispatchController, chunk: Buffer): void {
    this.size += chunk.length;
    // The parser reuses its memory, hence the copy.
    if (this.size <= this.limits.maxReplyBytes) this.chunks.push(Buffer.from(chunk));
    else this.end(new Ended('REPLY_TOO_LARGE', 'reply too large'));
  }

  onResponseEnd(): void {
    this.finish(this.reply());
  }

  onResponseError(_controller: Dispatcher.DispatchController | undefined, error: Error): void {
    this.fail(error);
  }

  /** Also for errors raised before the request was taken: bad arguments, a closed client. */
  fail(error: Error): void {
    const code = this.ended?.code ?? errorCode(error);
    if (this.status > 0) this.finish(this.reply(code === 'REPLY_TOO_LARGE' ? 'too-large' : 'interrupted'));
    else this.finish({ kind: this.isWritten ? 'unanswered' : 'not-sent', code, reason: describe(error) });
  }

  private end(why: Ended): void {
    this.ended = why;
    this.controller?.abort(why);
    this.fail(why);
  }

  private readonly onAbort = (): void => this.end(new Ended('ABORTED', 'the attempt was called off'));

  private reply(cut?: 'too-large' | 'interrupted'): HttpResult {
    return httpReply({
      status: this.status,
      headers: this.headers,
      body: this.chunks.length === 1 ? (this.chunks[0] as Buffer) : Buffer.concat(this.chunks),
      ...(cut && { cut }),
    });
  }

  private finish(result: HttpResult): void {
    clearTimeout(this.timer);
    this.limits.signal?.removeEventListener('abort', this.onAbort);
    this.settle(result);
  }
}

function errorCode(error: Error): string {
  const { code } = error as { code?: unknown };
  return typeof code === 'string' ? code : error.name;
}

// Several addresses tried in vain make an AggregateError, whose own message is empty.
function describe(error: Error): string {
  if (error.message) return error.message;
  if (error instanceof AggregateError && error.errors[0] instanceof Error) return error.errors[0].message;
  return errorCode(error);
}
