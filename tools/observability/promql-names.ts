import { parser } from '@prometheus-io/lezer-promql';

/** What one expression names, or where it is wrong. */
export interface ExpressionNames {
  readonly metrics: readonly string[];
  /** Label names in matchers and groupings. */
  readonly labels: readonly string[];
  /** The text that is no PromQL; undefined: all of it is. */
  readonly error: string | undefined;
}

/** Reads an expression as Prometheus would, without one. Grafana's variables are put in for what they stand for. */
export function namesIn(expression: string): ExpressionNames {
  const text = expression.replaceAll('$__rate_interval', '5m');
  const metrics = new Set<string>();
  const labels = new Set<string>();
  let error: string | undefined;
  parser.parse(text).iterate({
    enter: ({ type, from, to, node }) => {
      if (type.isError) error ??= text.slice(Math.max(0, from - 20), to + 20);
      if (type.name === 'Identifier' && node.parent?.type.name === 'VectorSelector') metrics.add(text.slice(from, to));
      if (type.name === 'LabelName') labels.add(text.slice(from, to));
    },
  });
  return { metrics: [...metrics], labels: [...labels], error };
}
