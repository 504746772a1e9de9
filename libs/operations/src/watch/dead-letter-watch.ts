import type { IncomingRecord, OffsetRange } from '@tributary/kafka';
import type { DeadLetterActs } from '@tributary/persistence';
import type { Metrics } from '@tributary/telemetry';

export interface DeadLetterWatchParts {
  readonly topics: readonly string[];
  /** What a topic holds now. Empty: there is no such topic. */
  readonly ranges: (topic: string) => Promise<readonly OffsetRange[]>;
  readonly read: (ranges: readonly OffsetRange[]) => AsyncIterable<Pick<IncomingRecord, 'timestampMs'>>;
  readonly acts: Pick<DeadLetterActs, 'openIn'>;
  readonly nowMs: () => number;
}

interface Standing {
  readonly open: number;
  /** Epoch milliseconds; undefined: none is open. */
  readonly oldestMs: number | undefined;
  /** Where the open ones begin: as long as that stays, nothing has to be read again. */
  readonly heads: string;
}

/**
 * How many dead letters wait for a person, and since when. Offsets say how many there are and the acts of operators how many are
 * dealt with, so of each partition one record is read at most, and that only when it is another one than before.
 */
export class DeadLetterWatch {
  private readonly standings = new Map<string, Standing>();

  constructor(private readonly parts: DeadLetterWatchParts) {}

  observe(metrics: Pick<Metrics, 'observe'>): void {
    metrics.observe('dead.letters.open', () => [...this.standings].map(([topic, { open }]) => [open, { topic }]));
    metrics.observe('dead.letters.oldest.age', () =>
      [...this.standings].map(([topic, { oldestMs }]) => [this.ageOf(oldestMs), { topic }]),
    );
  }

  /** @throws when Kafka or the database cannot be asked; what was known stays. */
  async round(): Promise<void> {
    for (const topic of this.parts.topics) {
      const standing = await this.look(topic);
      if (standing) this.standings.set(topic, standing);
    }
  }

  private async look(topic: string): Promise<Standing | undefined> {
    const ranges = await this.parts.ranges(topic);
    if (ranges.length === 0) return undefined;
    const held = ranges.filter(({ from, to }) => to > from);
    const standings = held.length === 0 ? [] : await this.parts.acts.openIn(topic, held);
    const heads = standings.flatMap(({ partition, firstOpen }) =>
      firstOpen === undefined ? [] : [{ topic, partition, from: firstOpen, to: firstOpen + 1 }],
    );
    const open = standings.reduce((sum, one) => sum + one.open, 0);
    const names = heads.map(({ partition, from }) => `${partition}/${from}`).join(' ');
    const known = this.standings.get(topic);
    const oldestMs = known?.heads === names ? known.oldestMs : await this.oldestOf(heads);
    return { open, oldestMs, heads: names };
  }

  private async oldestOf(heads: readonly OffsetRange[]): Promise<number | undefined> {
    let oldestMs: number | undefined;
    if (heads.length === 0) return undefined;
    for await (const { timestampMs } of this.parts.read(heads))
      oldestMs = Math.min(timestampMs, oldestMs ?? timestampMs);
    return oldestMs;
  }

  private ageOf(oldestMs: number | undefined): number {
    return oldestMs === undefined ? 0 : Math.max(0, this.parts.nowMs() - oldestMs) / 1000;
  }
}
