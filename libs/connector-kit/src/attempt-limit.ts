/**
 * The signal of one attempt: aborted when the work it belongs to is taken away, or when its time is over. Unlike
 * `AbortSignal.timeout` it leaves nothing behind: that one's timer goes on after the attempt and keeps all of it in memory until
 * it fires, which for 2,000 attempts a second of 15 s are 30,000.
 */
export class AttemptLimit {
  private readonly controller = new AbortController();
  private readonly timer: NodeJS.Timeout;

  constructor(
    private readonly outer: AbortSignal,
    timeoutMs: number,
  ) {
    this.timer = setTimeout(() => this.controller.abort(timedOut(timeoutMs)), timeoutMs);
    if (outer.aborted) this.onOuterAbort();
    else outer.addEventListener('abort', this.onOuterAbort, { once: true });
  }

  get signal(): AbortSignal {
    return this.controller.signal;
  }

  /** The attempt is over: nothing aborts it any more. */
  end(): void {
    clearTimeout(this.timer);
    this.outer.removeEventListener('abort', this.onOuterAbort);
  }

  private readonly onOuterAbort = (): void => this.controller.abort(this.outer.reason);
}

const timedOut = (timeoutMs: number): DOMException =>
  new DOMException(`the attempt was not over within ${timeoutMs} ms`, 'TimeoutError');
