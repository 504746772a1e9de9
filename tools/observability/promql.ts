import { type MetricName, prometheusName } from '@tributary/telemetry';

/** Label matchers by label: `status: '=~"5.."'`. */
export type Matchers = Readonly<Record<string, string>>;

/** A metric of the catalogue as an instant selector. A name that is not there does not compile. */
export const metric = (name: MetricName, matchers: Matchers = {}): string =>
  `${prometheusName(name)}${inBraces(matchers)}`;

export const buckets = (name: MetricName<'histogram'>, matchers: Matchers = {}): string =>
  `${prometheusName(name)}_bucket${inBraces(matchers)}`;

export const countOf = (name: MetricName<'histogram'>, matchers: Matchers = {}): string =>
  `${prometheusName(name)}_count${inBraces(matchers)}`;

export const rate = (selector: string, window: string): string => `rate(${selector}[${window}])`;

export const increase = (selector: string, window: string): string => `increase(${selector}[${window}])`;

type Aggregation = 'sum' | 'max' | 'min' | 'avg';

export const over = (aggregation: Aggregation, by: readonly string[], expression: string): string =>
  `${aggregation}${by.length > 0 ? ` by (${by.join(', ')}) ` : ''}(${expression})`;

export const quantile = (share: number, by: readonly string[], rates: string): string =>
  `histogram_quantile(${share}, ${over('sum', ['le', ...by], rates)})`;

function inBraces(matchers: Matchers): string {
  const list = Object.entries(matchers).map(([label, match]) => `${label}${match}`);
  return list.length === 0 ? '' : `{${list.join(', ')}}`;
}
