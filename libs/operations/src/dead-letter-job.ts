import type { DeadLetter } from './dead-letter.js';
import { NotADeadLetter } from './dead-letter.js';
import { DeadLetterGroups } from './dead-letter-groups.js';
import type { Act, DeadLetters } from './dead-letters.js';
import { whyNotRedrivable } from './redriven-record.js';

export interface Redriven {
  readonly letter: DeadLetter;
  readonly redriveId: string;
}

/** How a redriven record ended, as the ledger tells. */
export interface RedriveOutcome {
  /** `dead`: it died again. Anything else is the stage's own word for having dealt with it. */
  readonly outcome: string;
  readonly reason: string;
}

export interface JobPorts {
  readonly letters: Pick<DeadLetters, 'redrive' | 'discard'>;
  /** By id; absent: not settled yet. */
  readonly outcomesOf: (redriven: readonly Redriven[]) => Promise<ReadonlyMap<string, RedriveOutcome>>;
  readonly nowMs: () => number;
  readonly sleep: (ms: number) => Promise<void>;
}

export interface JobOptions extends Act {
  readonly act: 'redrive' | 'discard';
  readonly perSecond: number;
  readonly maxRedrives: number;
  /** A few first, the rest only when these were delivered. Undefined: all at once. */
  readonly canary?: { readonly timeoutMs: number };
  readonly onProgress: (progress: JobProgress) => void;
}

export interface JobProgress {
  readonly done: number;
  readonly refused: number;
  /** So many canaries are waited for. */
  readonly waitingFor?: number;
}

export interface Refusal {
  readonly id: string;
  readonly why: string;
}

export interface JobReport {
  readonly id: string;
  readonly act: 'redrive' | 'discard';
  readonly done: number;
  readonly refused: number;
  /** The first hundred. */
  readonly refusals: readonly Refusal[];
  /** Sizes at which it waited, and how what was sent until then ended. */
  readonly canaries: readonly { readonly size: number; readonly outcomes: Readonly<Record<string, number>> }[];
  /** Why it did not go on; absent: it reached the end. */
  readonly stopped?: string;
}

/** A governed redrive waits for the ledger when it has sent so many. */
const canarySizes = [1, 10, 100];
const refusalsKept = 100;
const lookAgainMs = 250;

/** Acts on dead letters one after the other, not faster than asked, and stops when the first ones fail again. */
export class DeadLetterJob {
  private readonly startedAtMs: number;
  private done = 0;
  private refused = 0;
  private readonly refusals: Refusal[] = [];
  private readonly canaries: { size: number; outcomes: Record<string, number> }[] = [];
  private underWatch: Redriven[] = [];
  private stopped: string | undefined;

  constructor(
    private readonly ports: JobPorts,
    private readonly options: JobOptions,
  ) {
    this.startedAtMs = ports.nowMs();
  }

  async run(letters: AsyncIterable<DeadLetter>): Promise<JobReport> {
    for await (const letter of letters) {
      await this.pace();
      await this.actOn(letter);
      if (this.isCanaryDue()) await this.watch();
      if (this.stopped !== undefined) break;
    }
    if (this.stopped === undefined && this.underWatch.length > 0) await this.watch();
    const { id, act } = this.options;
    const { done, refused, refusals, canaries, stopped } = this;
    return { id, act, done, refused, refusals, canaries, ...(stopped !== undefined && { stopped }) };
  }

  private async pace(): Promise<void> {
    const dueMs = this.startedAtMs + (this.done * 1000) / this.options.perSecond;
    const waitMs = dueMs - this.ports.nowMs();
    if (waitMs > 0) await this.ports.sleep(waitMs);
  }

  private async actOn(letter: DeadLetter): Promise<void> {
    const why = this.options.act === 'redrive' ? whyNotRedrivable(letter, this.options.maxRedrives) : undefined;
    if (why !== undefined) return this.refuse(letter, `${letter.id} cannot be redriven: ${why}`);
    try {
      if (this.options.act === 'discard') await this.ports.letters.discard(letter, this.options);
      else await this.redrive(letter);
    } catch (error) {
      if (!(error instanceof NotADeadLetter)) throw this.failed(letter, error);
      return this.refuse(letter, error.message);
    }
    this.done += 1;
    this.tell();
  }

  private async redrive(letter: DeadLetter): Promise<void> {
    const redriveId = await this.ports.letters.redrive(letter, this.options);
    const isCanary = this.options.canary && this.done < (canarySizes.at(-1) ?? 0);
    if (isCanary) this.underWatch.push({ letter, redriveId });
  }

  private refuse({ id }: DeadLetter, why: string): void {
    this.refused += 1;
    if (this.refusals.length < refusalsKept) this.refusals.push({ id, why });
    this.tell();
  }

  private failed({ id }: DeadLetter, cause: unknown): Error {
    const what = `${this.done} dead letters were done before ${id} failed`;
    return new Error(`${what}: ${cause instanceof Error ? cause.message : String(cause)}`, { cause });
  }

  private isCanaryDue(): boolean {
    return this.underWatch.length > 0 && canarySizes.includes(this.done);
  }

  /** What was sent since the last time must be settled, and not dead, before more is sent. */
  private async watch(): Promise<void> {
    const timeoutMs = this.options.canary?.timeoutMs ?? 0;
    const deadlineMs = this.ports.nowMs() + timeoutMs;
    const sent = this.underWatch;
    this.underWatch = [];
    for (;;) {
      const outcomes = await this.ports.outcomesOf(sent);
      const dead = sent.find(({ letter }) => outcomes.get(letter.id)?.outcome === 'dead');
      const waitingFor = sent.length - outcomes.size;
      if (dead) {
        const { letter } = dead;
        this.stopped = `${letter.id} died again: ${outcomes.get(letter.id)?.reason}`;
      } else if (waitingFor > 0 && this.ports.nowMs() >= deadlineMs) {
        const late = sent.find(({ letter }) => !outcomes.has(letter.id));
        this.stopped = `${waitingFor} of ${sent.length} were not settled within ${timeoutMs / 1000} s, ${late?.letter.id} among them; tributary lanes shows what they wait for`;
      }
      if (waitingFor === 0 || this.stopped !== undefined) {
        this.canaries.push({ size: this.done, outcomes: countsOf(outcomes) });
        return;
      }
      this.tell(waitingFor);
      await this.ports.sleep(lookAgainMs);
    }
  }

  private tell(waitingFor?: number): void {
    const { done, refused } = this;
    this.options.onProgress({ done, refused, ...(waitingFor !== undefined && { waitingFor }) });
  }
}

function countsOf(outcomes: ReadonlyMap<string, RedriveOutcome>): Record<string, number> {
  const counts: Record<string, number> = {};
  for (const { outcome } of outcomes.values()) counts[outcome] = (counts[outcome] ?? 0) + 1;
  return counts;
}

export interface JobPlan {
  readonly groups: DeadLetterGroups;
  refused: number;
  /** The first hundred. */
  readonly refusals: Refusal[];
}

/** What a job would do. Nothing is written. */
export async function planJob(
  letters: AsyncIterable<DeadLetter>,
  { act, maxRedrives }: Pick<JobOptions, 'act' | 'maxRedrives'>,
): Promise<JobPlan> {
  const plan: JobPlan = { groups: new DeadLetterGroups(), refused: 0, refusals: [] };
  for await (const letter of letters) {
    const why = whyNot(letter, act, maxRedrives);
    if (why === undefined) {
      plan.groups.add(letter);
      continue;
    }
    plan.refused += 1;
    if (plan.refusals.length < refusalsKept) plan.refusals.push({ id: letter.id, why: `${letter.id} ${why}` });
  }
  return plan;
}

function whyNot(letter: DeadLetter, act: JobOptions['act'], maxRedrives: number): string | undefined {
  if (letter.state === 'redriven' || letter.state === 'discarded') return `is ${letter.state} already`;
  const why = act === 'redrive' ? whyNotRedrivable(letter, maxRedrives) : undefined;
  return why && `cannot be redriven: ${why}`;
}
