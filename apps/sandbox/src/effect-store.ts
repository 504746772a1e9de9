export interface LoggedRequest {
  readonly atMs: number;
  readonly status: number;
  /** What the sender says it is: webhook-id, channel. Never a credential. */
  readonly key: string;
  readonly reason?: string;
}

/** As the caller saw it: every answer that went out, whatever it was. */
export interface GivenAnswer {
  readonly atMs: number;
  readonly status: number;
  /** From the arrival of the request. */
  readonly durationMs: number;
}

export interface Effect {
  /** Effects with one id are one effect; a second arrival is a repeat. */
  readonly id: string;
  readonly subject: string;
  readonly atMs: number;
  /** What to show of it. */
  readonly summary: string;
}

export interface EffectSummary {
  readonly effects: number;
  readonly repeats: number;
  readonly requests: number;
}

const mostRequests = 10_000;
const mostEffects = 500_000;

class Target {
  readonly requests: LoggedRequest[] = [];
  readonly answers: GivenAnswer[] = [];
  readonly effects = new Map<string, Effect>();
  requestCount = 0;
  /** Requests that came before the time that an answer had asked for. */
  early = 0;
  repeats = 0;
}

/** What each imitated system received, and what took effect there. In memory. */
export class EffectStore {
  private readonly targets = new Map<string, Target>();
  /** Epoch milliseconds before which a request is early. */
  private readonly patience = new Map<string, number>();

  /** @param limited what an earlier answer may have asked patience for: the target or a part of it. */
  noteArrival(target: string, limited: string, atMs: number): void {
    if (atMs < (this.patience.get(limited) ?? 0)) this.of(target).early += 1;
  }

  askForPatience(limited: string, untilMs: number): void {
    this.patience.set(limited, Math.max(untilMs, this.patience.get(limited) ?? 0));
  }

  earlyAt(target: string): number {
    return this.targets.get(target)?.early ?? 0;
  }

  log(target: string, request: LoggedRequest): void {
    this.of(target).requestCount += 1;
    addBounded(this.of(target).requests, request);
  }

  noteAnswer(target: string, answer: GivenAnswer): void {
    addBounded(this.of(target).answers, answer);
  }

  answersOf(target: string): readonly GivenAnswer[] {
    return (this.targets.get(target)?.answers ?? []).slice(-mostRequests);
  }

  /** False when the effect was there already: the repeat is counted and changes nothing. */
  apply(target: string, effect: Effect): boolean {
    const found = this.of(target);
    if (found.effects.has(effect.id)) {
      found.repeats += 1;
      return false;
    }
    if (found.effects.size >= mostEffects)
      throw new Error(`${target} holds ${mostEffects} effects: DELETE /state first`);
    found.effects.set(effect.id, effect);
    return true;
  }

  requestsOf(target: string): readonly LoggedRequest[] {
    return (this.targets.get(target)?.requests ?? []).slice(-mostRequests);
  }

  effectsOf(target: string): readonly Effect[] {
    return [...(this.targets.get(target)?.effects.values() ?? [])];
  }

  /** Ids in the order of their first arrival, by subject. */
  orderOf(target: string): Readonly<Record<string, readonly string[]>> {
    const groups = new Map<string, Effect[]>();
    for (const effect of this.effectsOf(target)) {
      const group = groups.get(effect.subject);
      if (group) group.push(effect);
      else groups.set(effect.subject, [effect]);
    }
    return Object.fromEntries([...groups].map(([subject, effects]) => [subject, effects.map(({ id }) => id)]));
  }

  summaryOf(target: string): EffectSummary {
    const { effects, repeats, requestCount } = this.targets.get(target) ?? new Target();
    return { effects: effects.size, repeats, requests: requestCount };
  }

  get names(): readonly string[] {
    return [...this.targets.keys()];
  }

  clear(): void {
    this.targets.clear();
    this.patience.clear();
  }

  private of(target: string): Target {
    const found = this.targets.get(target) ?? new Target();
    this.targets.set(target, found);
    return found;
  }
}

// Dropped in blocks, so that a long run does not shift the list for every request.
function addBounded<T>(list: T[], one: T): void {
  list.push(one);
  if (list.length > mostRequests * 2) list.splice(0, list.length - mostRequests);
}
