import { code, page, table } from './markdown.js';

interface Metric {
  readonly kind: string;
  readonly description: string;
  readonly unit: string;
  readonly labels: readonly string[];
}

export function renderMetricsPage(metrics: Readonly<Record<string, Metric>>): string {
  const rows = Object.entries(metrics)
    .sort(([a], [b]) => (a < b ? -1 : 1))
    .map(([name, { kind, description, unit, labels }]) => [
      code(name),
      kind === 'process' ? 'counter' : kind,
      code(unit),
      labels.map(code).join(', '),
      description,
    ]);
  const note =
    'Every service serves them at `GET /metrics` for Prometheus. There the dots of a name are underscores, `s` and `By` append `_seconds` and `_bytes`, and a counter ends in `_total`: `ingress_requests_total`.';
  return page('Metrics', 'libs/telemetry', note, table(['Metric', 'Kind', 'Unit', 'Labels', 'What'], rows));
}
