/** An answer whose status and headers arrived. The body may be cut: see `cut`. */
export interface HttpReply {
  readonly kind: 'reply';
  readonly status: number;
  /** First value of a header; the name in any case. */
  header(name: string): string | undefined;
  readonly body: Buffer;
  /** Why the body is not whole; absent when it is. */
  readonly cut?: 'too-large' | 'interrupted';
  text(): string;
  /** The body as JSON; undefined when it is cut or not JSON. */
  json(): unknown;
}

export type HttpFailure =
  /** Nothing of the request left this machine: repeating it is always safe. */
  | { readonly kind: 'not-sent'; readonly code: string; readonly reason: string }
  /** The request was written, at least in part, and no status came: it may have had its effect. */
  | { readonly kind: 'unanswered'; readonly code: string; readonly reason: string };

export type HttpResult = HttpReply | HttpFailure;

export interface ReplyParts {
  readonly status: number;
  readonly headers?: Readonly<Record<string, string | readonly string[] | undefined>>;
  readonly body?: Buffer | string;
  readonly cut?: 'too-large' | 'interrupted';
}

export function httpReply({ status, headers = {}, body = '', cut }: ReplyParts): HttpReply {
  // Most answers are judged by their status alone.
  let byName: Map<string, string | readonly string[] | undefined> | undefined;
  const bytes = typeof body === 'string' ? Buffer.from(body) : body;
  return {
    kind: 'reply',
    status,
    body: bytes,
    ...(cut && { cut }),
    header: (name) => {
      byName ??= new Map(Object.entries(headers).map(([one, value]) => [one.toLowerCase(), value]));
      const value = byName.get(name.toLowerCase());
      return typeof value === 'string' ? value : value?.[0];
    },
    text: () => bytes.toString('utf8'),
    json: () => (cut ? undefined : parseJson(bytes)),
  };
}

function parseJson(bytes: Buffer): unknown {
  try {
    return JSON.parse(bytes.toString('utf8'));
  } catch {
    return undefined; // An answer that is no JSON is theirs to make; the caller decides what it means.
  }
}
