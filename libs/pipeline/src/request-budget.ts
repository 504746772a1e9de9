interface Bucket {
  tokens: number;
  filledAtMs: number;
}

const mostBuckets = 10_000;

/** A token bucket per connection, so that one noisy sender cannot use up what the others need. */
export class RequestBudget {
  private readonly buckets = new Map<string, Bucket>();

  /** @param perSecond 0 means no limit. Bursts of twice that are let through. */
  constructor(
    private readonly perSecond: number,
    private readonly nowMs: () => number,
  ) {}

  /** Undefined when the request may pass; else the seconds after which one would. */
  take(connectionId: string): number | undefined {
    if (this.perSecond === 0) return undefined;
    const now = this.nowMs();
    const bucket = this.bucketOf(connectionId, now);
    // A clock that was set back must not cost tokens.
    const gained = (Math.max(0, now - bucket.filledAtMs) / 1000) * this.perSecond;
    bucket.tokens = Math.min(this.perSecond * 2, bucket.tokens + gained);
    bucket.filledAtMs = now;
    if (bucket.tokens < 1) return Math.ceil((1 - bucket.tokens) / this.perSecond);
    bucket.tokens -= 1;
    return undefined;
  }

  private bucketOf(connectionId: string, now: number): Bucket {
    const known = this.buckets.get(connectionId);
    if (known) return known;
    // Whoever asks should ask about known ids only; if not, forgetting all errs on the side of letting requests pass.
    if (this.buckets.size >= mostBuckets) this.buckets.clear();
    const fresh = { tokens: this.perSecond * 2, filledAtMs: now };
    this.buckets.set(connectionId, fresh);
    return fresh;
  }
}
