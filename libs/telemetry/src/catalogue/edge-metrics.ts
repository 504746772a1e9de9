import type { MetricDefinition } from './metric-definition.js';

/** Services that are called over HTTP. */
export const edgeMetrics = {
  'ingress.requests': {
    kind: 'counter',
    description: 'Requests answered by ingress.',
    unit: '{request}',
    labels: ['source', 'status'],
  },
  'ingress.request.duration': {
    kind: 'histogram',
    description: 'Time from a request to its answer.',
    unit: 's',
    labels: ['source'],
  },
  'ingress.rejections': {
    kind: 'counter',
    description: 'Requests that were refused, by reason. Who is not known counts as source unknown.',
    unit: '{request}',
    labels: ['source', 'reason'],
  },
  'console.requests': {
    kind: 'counter',
    description: 'Questions answered by the console.',
    unit: '{request}',
    labels: ['status'],
  },
  'console.request.duration': {
    kind: 'histogram',
    description: 'Time from a question to its answer.',
    unit: 's',
    labels: [],
  },
} as const satisfies Record<string, MetricDefinition>;
