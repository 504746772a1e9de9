export interface MetricDefinition {
  /** `process`: read off the process itself. */
  readonly kind: 'counter' | 'histogram' | 'gauge' | 'process';
  readonly description: string;
  readonly unit: string;
  readonly labels: readonly string[];
  /** Upper bounds of a histogram; absent: those of the messaging conventions. */
  readonly buckets?: readonly number[];
}
