export type Unit = 's' | 'bytes' | 'percentunit' | 'short' | 'reqps' | 'cps' | 'bool_yes_no';

export interface Query {
  readonly expr: string;
  /** With labels as `{{label}}`. */
  readonly legend: string;
}

export interface Panel {
  readonly title: string;
  /** For whoever looks at it for the first time: what is good, what is not. */
  readonly description: string;
  readonly unit: Unit;
  readonly form?: 'graph' | 'number';
  readonly queries: readonly Query[];
  /** Why it shows nothing while all is well; absent: it always has data. */
  readonly emptyWhile?: string;
}

export interface PanelRow {
  readonly title: string;
  readonly panels: readonly Panel[];
}

/** A choice at the top of a dashboard: values of a label. */
export interface Choice {
  readonly name: string;
  readonly title: string;
  /** Metric and label the values come from. */
  readonly from: { readonly metric: string; readonly label: string };
}

export interface DashboardSpec {
  /** File name, and how links name it. */
  readonly slug: string;
  readonly title: string;
  readonly description: string;
  readonly choices: readonly Choice[];
  readonly rows: readonly PanelRow[];
}

/** As wide as Grafana thinks right for a rate at the present zoom. */
export const window = '$__rate_interval';

export const quantiles = [
  { share: 0.5, name: 'p50' },
  { share: 0.95, name: 'p95' },
  { share: 0.99, name: 'p99' },
] as const;
