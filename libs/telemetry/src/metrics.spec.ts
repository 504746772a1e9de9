import { describe, expect, it } from 'vitest';
import { messagingBuckets } from './catalogue/messaging-metrics.js';
import type { MetricDefinition } from './catalogue/metric-definition.js';
import { type MetricName, metricCatalogue } from './metric-catalogue.js';
import { createMetrics, prometheusName } from './metrics.js';

describe('metrics', () => {
  it('are exported with their units, as Prometheus users expect', async () => {
    const metrics = createMetrics('test');
    metrics.add('ingress.requests', 2, { source: 'gusto', status: 200 });
    metrics.record('delivery.attempt.duration', 0.02, { destination: 'http', outcome: 'delivered' });
    metrics.observe('keys.held', () => [[3, { group: 'connector-http', state: 'held' }]]);
    const text = await metrics.scrape();
    expect(text).toContain('ingress_requests_total{source="gusto",status="200"} 2');
    expect(text).toContain(
      'delivery_attempt_duration_seconds_bucket{destination="http",outcome="delivered",le="0.025"} 1',
    );
    expect(text).toContain('keys_held{group="connector-http",state="held"} 3');
    expect(text).toMatch(/^process_memory_usage_bytes \d+/m);
    expect(text).toMatch(/^process_cpu_time_seconds_total [0-9.]+/m);
    expect(text).toMatch(/^v8js_memory_heap_limit_bytes \d{8,}/m);
    expect(text).toMatch(/^nodejs_eventloop_delay_p99_seconds [0-9.e-]+$/m);
    expect(text).toMatch(/^nodejs_eventloop_utilization [01](\.\d+)?(e-\d+)?$/m);
  });

  it('of messaging have the names, labels and buckets of the conventions', async () => {
    const metrics = createMetrics('test');
    const labels = {
      'messaging.system': 'kafka',
      'messaging.operation.name': 'process',
      'messaging.destination.name': 'events.people.v1',
      'messaging.consumer.group.name': 'router',
    };
    metrics.record('messaging.process.duration', 0.06, labels);
    metrics.record('messaging.client.operation.duration', 0.06, { 'messaging.operation.name': 'send' });
    metrics.add('messaging.client.sent.messages', 3, { 'messaging.destination.name': 't' });
    metrics.add('messaging.client.consumed.messages', 4, { 'messaging.destination.name': 't' });
    const text = await metrics.scrape();
    const shown =
      'messaging_system="kafka",messaging_operation_name="process",messaging_destination_name="events.people.v1",messaging_consumer_group_name="router"';
    const bounds = [...text.matchAll(/^messaging_process_duration_seconds_bucket\{.*le="([^"]+)"\}/gm)].map(
      (m) => m[1],
    );
    expect(bounds).toEqual([...messagingBuckets.map(String), '+Inf']);
    expect(text).toContain(`messaging_process_duration_seconds_bucket{${shown},le="0.075"} 1`);
    expect(text).toMatch(/^messaging_client_operation_duration_seconds_count\{messaging_operation_name="send"\} 1/m);
    expect(text).toContain('messaging_client_sent_messages_total{messaging_destination_name="t"} 3');
    expect(text).toContain('messaging_client_consumed_messages_total{messaging_destination_name="t"} 4');
  });

  it.each(Object.keys(metricCatalogue) as MetricName[])(
    'are exported under the name that rules use: %s',
    async (name) => {
      const metrics = createMetrics('test');
      const { kind } = metricCatalogue[name];
      if (kind === 'counter') metrics.add(name as MetricName<'counter'>, 1);
      if (kind === 'histogram') metrics.record(name as MetricName<'histogram'>, 1);
      if (kind === 'gauge') metrics.observe(name as MetricName<'gauge'>, () => [[1]]);
      const exported = `${prometheusName(name)}${kind === 'histogram' ? '_count' : ''}`;
      expect(await metrics.scrape()).toMatch(new RegExp(`^${exported} `, 'm'));
    },
  );

  it('have buckets that rise', () => {
    for (const { buckets = [0, 1] } of Object.values(metricCatalogue) as MetricDefinition[])
      expect([...buckets].sort((a, b) => a - b)).toEqual(buckets);
  });

  it('of deliveries have the bucket that the objective is measured by', () => {
    expect(metricCatalogue['delivery.duration'].buckets).toContain(60);
  });
});
