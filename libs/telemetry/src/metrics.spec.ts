import { describe, expect, it } from 'vitest';
import { createMetrics } from './metrics.js';

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
  });
});
