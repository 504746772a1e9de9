import { consumerMetrics } from './catalogue/consumer-metrics.js';
import { deliveryMetrics } from './catalogue/delivery-metrics.js';
import { edgeMetrics } from './catalogue/edge-metrics.js';
import { ledgerMetrics } from './catalogue/ledger-metrics.js';
import { messagingMetrics } from './catalogue/messaging-metrics.js';
import type { MetricDefinition } from './catalogue/metric-definition.js';
import { processMetrics } from './catalogue/process-metrics.js';

/**
 * Every metric we export, once. Prometheus names follow OpenTelemetry's rules: dots become underscores, the unit and
 * `_total` are appended.
 */
export const metricCatalogue = {
  ...edgeMetrics,
  ...messagingMetrics,
  ...consumerMetrics,
  ...deliveryMetrics,
  ...ledgerMetrics,
  ...processMetrics,
} as const satisfies Record<string, MetricDefinition>;

type Catalogue = typeof metricCatalogue;
export type MetricName<Kind extends MetricDefinition['kind'] = MetricDefinition['kind']> = {
  [Name in keyof Catalogue]: Catalogue[Name]['kind'] extends Kind ? Name : never;
}[keyof Catalogue];
