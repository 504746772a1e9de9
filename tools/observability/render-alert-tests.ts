import { stringify } from 'yaml';
import { type AlertCase, alertCases } from './rules/alert-cases.js';

/** What `promtool test rules` takes. */
export function renderAlertTests(rulesFile: string): string {
  return stringify(
    { rule_files: [rulesFile], evaluation_interval: '1m', tests: alertCases.map(testOf) },
    { lineWidth: 0 },
  );
}

const testOf = ({ alert, name, series, atMinute, fires }: AlertCase) => ({
  name: `${alert}: ${name}`,
  interval: '1m',
  input_series: series.map(([selector, values]) => ({ series: selector, values })),
  promql_expr_test: [
    {
      expr: `ALERTS{alertname="${alert}", alertstate="firing"}`,
      eval_time: `${atMinute}m`,
      exp_samples: fires.map((labels) => ({ labels: seriesOf(alert, labels), value: 1 })),
    },
  ],
});

function seriesOf(alertname: string, labels: Readonly<Record<string, string>>): string {
  const all = Object.entries({ alertname, alertstate: 'firing', ...labels });
  return `ALERTS{${all.map(([label, value]) => `${label}="${value}"`).join(', ')}}`;
}
