import { type Clock, sleep } from './clock.js';

/** Milliseconds between the starts of two requests, by the records that the first one carried. 0: at once. */
export type SpacingRule = (records: number) => number;

/**
 * Spaces requests of fewer than `few` records that follow one of as few. After a larger one there is no waiting: senders that wait for
 * its answers send again at about the same time, and the first of them must not hold up the rest.
 */
export function spacingOfSmall(spacingMs: number, few: number): SpacingRule {
  let before = 0;
  return (records) => {
    const isSmall = Math.max(records, before) < few;
    before = records;
    return isSmall ? spacingMs : 0;
  };
}

/**
 * Keeps requests that carry little apart, so that each carries more: at a few hundred records a second one request for each of
 * them costs several times the CPU, at the client and at the broker. The first request after a quiet time never waits.
 */
export class RequestSpacing {
  private notBeforeMs = 0;
  private startedAtMs = 0;

  constructor(
    private readonly clock: Clock,
    private readonly rule: SpacingRule,
  ) {}

  /** Resolves when the next request may start, which it does then. */
  async turn(signal?: AbortSignal): Promise<void> {
    const waitMs = this.notBeforeMs - this.clock.now();
    if (waitMs > 0) await sleep(this.clock, waitMs, signal);
    this.startedAtMs = this.clock.now();
  }

  /** The request that had the last turn carried so many. */
  carried(records: number): void {
    this.notBeforeMs = this.startedAtMs + this.rule(records);
  }
}
