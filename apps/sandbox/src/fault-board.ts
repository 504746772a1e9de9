import { z } from 'zod';

export const faultOrder = z.strictObject({
  /** Answer with this status instead of acting. */
  status: z.int().min(200).max(599).optional(),
  /** Goes out as the header Retry-After, as it is: seconds, decimals or an HTTP date. */
  retryAfter: z.union([z.string().max(100), z.number().nonnegative()]).optional(),
  /** Ends by itself after this time or so many requests; neither: until it is taken back. */
  forMs: z.number().positive().optional(),
  count: z.int().positive().optional(),
  /** Share of requests that meet it; 1 by default. */
  probability: z.number().min(0).max(1).optional(),
  latencyMs: z.number().min(0).max(120_000).optional(),
  /** Act at once and answer after this time: who dies meanwhile cannot know. */
  answerAfterMs: z.number().positive().max(120_000).optional(),
  /** Act, then break the connection: the sender cannot know. */
  dropAfterEffect: z.boolean().optional(),
  redirectTo: z.url().optional(),
});
export type FaultOrder = z.infer<typeof faultOrder>;

interface Posted {
  readonly order: FaultOrder;
  readonly endsAtMs: number;
  left: number;
}

/** Which target misbehaves how. */
export class FaultBoard {
  private readonly posted = new Map<string, Posted>();

  constructor(
    private readonly nowMs: () => number = Date.now,
    private readonly random: () => number = Math.random,
  ) {}

  /** An empty order takes the fault back. */
  post(target: string, order: FaultOrder): void {
    if (Object.keys(order).length === 0) this.posted.delete(target);
    else {
      const endsAtMs = order.forMs === undefined ? Number.POSITIVE_INFINITY : this.nowMs() + order.forMs;
      this.posted.set(target, { order, endsAtMs, left: order.count ?? Number.POSITIVE_INFINITY });
    }
  }

  /** The fault that this request meets, if any. Counts it. */
  meet(target: string): FaultOrder | undefined {
    const fault = this.posted.get(target);
    if (!fault) return undefined;
    if (this.nowMs() >= fault.endsAtMs || fault.left <= 0) {
      this.posted.delete(target);
      return undefined;
    }
    if (this.random() >= (fault.order.probability ?? 1)) return undefined;
    fault.left -= 1;
    return fault.order;
  }

  clear(): void {
    this.posted.clear();
  }
}
