export * from './logger.js';
export { type MetricName, metricCatalogue } from './metric-catalogue.js';
export * from './metrics.js';
export * from './tracing.js';
