import { createMetrics } from '@tributary/telemetry';
import { describe, expect, it } from 'vitest';
import { observeRuntimes, observerFor, producerMetrics } from './runtime-metrics.js';
import { aSnapshot } from './testing/a-snapshot.js';

function scraping() {
  const metrics = createMetrics('spec');
  let collected = 0;
  observeRuntimes(
    metrics,
    () => {
      collected += 1;
      return [aSnapshot];
    },
    () => 10_000,
  );
  return { metrics, collections: () => collected };
}

describe('metrics of a consuming service', () => {
  it('tell what it holds', async () => {
    const { metrics, collections } = scraping();
    const text = await metrics.scrape();
    const group = 'group="connector-http"';
    const main = `${group},topic="delivery.http.v1",partition="3"`;
    for (const line of [
      `window_records{${main}} 4`,
      `window_size_bytes{${main}} 400`,
      `window_map_size_bytes{${main}} 2`,
      `lag_time_seconds{${main}} 3`,
      `lag_time_seconds{${group},topic="delivery.http.v1.retry",partition="3"} 6`,
      `unacknowledged_oldest_age_seconds{${group}} 6`,
      `keys_held{${group},state="held"} 1`,
      `keys_held{${group},state="gated"} 1`,
      `keys_held{${group},state="blocked"} 0`,
      `keys_held{${group},state="parked"} 1`,
      `keys_held{${group},state="dead"} 0`,
      `keys_held_oldest_age_seconds{${group}} 6`,
      `records_parked{${group},topic="delivery.http.v1.retry"} 2`,
      `gates_closed{${group},reason="throttled"} 1`,
      `partitions_paused{${group},reason="window"} 1`,
    ]) {
      expect(text).toContain(line);
    }
    expect(collections()).toBe(1);
  });

  it('count requests to Kafka and their records as the conventions say', async () => {
    const metrics = createMetrics('spec');
    const observer = observerFor(metrics);
    const onRequest = producerMetrics(metrics);
    observer.attempted?.({ group: 'g', topic: 't', attempt: 1, settlement: 'commit', records: 1, durationMs: 30 });
    observer.consumed?.({ group: 'g', topic: 't', records: 7 });
    observer.polled?.({ group: 'g', durationMs: 200 });
    observer.committed?.({ group: 'g', partitions: 1, durationMs: 4, metadataCharacters: 0 });
    observer.commitFailed?.({ group: 'g', durationMs: 4, error: new RangeError('x') });
    onRequest({ durationMs: 8, acknowledged: new Map([['t', 5]]) });
    onRequest({ durationMs: 8, acknowledged: new Map(), error: 'KafkaJSError' });
    const text = await metrics.scrape();
    const of = (name: string) => `messaging_system="kafka",messaging_operation_name="${name}"`;
    const where = 'messaging_destination_name="t"';
    const count = 'messaging_client_operation_duration_seconds_count';
    for (const line of [
      `messaging_process_duration_seconds_count{${of('process')},${where},messaging_consumer_group_name="g"} 1`,
      `messaging_client_consumed_messages_total{${of('poll')},${where},messaging_consumer_group_name="g"} 7`,
      `messaging_client_sent_messages_total{${of('send')},${where}} 5`,
      `${count}{${of('poll')},messaging_operation_type="receive"} 1`,
      `${count}{${of('commit')},messaging_operation_type="settle"} 1`,
      `${count}{${of('commit')},messaging_operation_type="settle",error_type="RangeError"} 1`,
      `${count}{${of('send')},messaging_operation_type="send"} 1`,
      `${count}{${of('send')},messaging_operation_type="send",error_type="KafkaJSError"} 1`,
    ]) {
      expect(text).toContain(line);
    }
  });

  it('count what must never happen from the beginning, and how late retries are', async () => {
    const metrics = createMetrics('spec');
    const observer = observerFor(metrics);
    observer.assigned?.({ group: 'g', partitions: 1, isUnbroken: false });
    expect(await metrics.scrape()).toContain('attempts_early_total{group="g"} 0');
    observer.started?.({ group: 'g', isEarly: true, isRepeat: true });
    observer.started?.({ group: 'g', isEarly: false, isRepeat: false, delay: { kind: 'retry', errorMs: 30 } });
    observer.pauseEnded?.({ group: 'g', topic: 't', partition: 0, reason: 'window' });
    const text = await metrics.scrape();
    expect(text).toContain('attempts_early_total{group="g"} 1');
    expect(text).toContain('attempts_repeated_total{group="g"} 1');
    expect(text).toContain('delay_error_seconds_bucket{group="g",kind="retry",le="0.05"} 1');
    expect(text).toContain('delay_error_seconds_bucket{group="g",kind="retry",le="0.025"} 0');
    expect(text).toContain('pauses_ended_total{group="g",reason="window"} 1');
  });
});
