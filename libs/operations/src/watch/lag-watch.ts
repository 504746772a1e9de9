import type { TopicAdmin } from '@tributary/kafka';
import type { Metrics } from '@tributary/telemetry';

export interface LagWatchParts {
  readonly groups: ReadonlyArray<{ readonly group: string; readonly topics: readonly string[] }>;
  readonly admin: Pick<TopicAdmin, 'offsets' | 'groupOffsets'>;
}

/**
 * How many records a group has before it, from outside: so it grows also while the consumer is gone, which can say nothing then. Counted from
 * what is committed, as the autoscaler does: what is finished above a record that waits counts until that one is.
 */
export class LagWatch {
  private readonly lags = new Map<
    string,
    { readonly group: string; readonly topic: string; readonly records: number }
  >();

  constructor(private readonly parts: LagWatchParts) {}

  observe(metrics: Pick<Metrics, 'observe'>): void {
    metrics.observe('lag.records', () =>
      [...this.lags.values()].map(({ records, group, topic }) => [records, { group, topic }]),
    );
  }

  /** @throws when Kafka cannot be asked; what was known stays. */
  async round(): Promise<void> {
    for (const { group, topics } of this.parts.groups) {
      const committed = new Map<string, number | undefined>();
      for (const { topic, partition, offset } of await this.parts.admin.groupOffsets(group, topics))
        committed.set(`${topic}/${partition}`, offset);
      for (const topic of topics) {
        const ranges = await this.parts.admin.offsets(topic);
        if (!ranges) continue;
        // Retention may have taken what was not consumed: only what is still there can be.
        const waiting = ranges.map(
          ({ partition, low, high }) => high - Math.max(low, committed.get(`${topic}/${partition}`) ?? low),
        );
        const records = waiting.reduce((sum, one) => sum + Math.max(0, one), 0);
        this.lags.set(`${group} ${topic}`, { group, topic, records });
      }
    }
  }
}
