export * from './logger.js';
export { metricCatalogue } from './metric-catalogue.js';
export * from './metrics.js';
export * from './tracing.js';
