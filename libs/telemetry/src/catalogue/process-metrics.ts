import type { MetricDefinition } from './metric-definition.js';

/** Every process of ours. */
export const processMetrics = {
  'process.memory.usage': { kind: 'process', description: 'Resident memory.', unit: 'By', labels: [] },
  'process.cpu.time': { kind: 'process', description: 'CPU time used.', unit: 's', labels: [] },
  'nodejs.eventloop.delay.p50': {
    kind: 'process',
    description: 'Median of how late the event loop ran its timers since the last scrape.',
    unit: 's',
    labels: [],
  },
  'nodejs.eventloop.delay.p99': {
    kind: 'process',
    description: '99th percentile of how late the event loop ran its timers since the last scrape.',
    unit: 's',
    labels: [],
  },
  'nodejs.eventloop.utilization': {
    kind: 'process',
    description: 'Share of the time since the last scrape in which the event loop was busy.',
    unit: '1',
    labels: [],
  },
  'v8js.memory.heap.used': {
    kind: 'process',
    description: 'Heap in use.',
    unit: 'By',
    labels: [],
  },
  'v8js.memory.heap.limit': {
    kind: 'process',
    description: 'Largest heap that Node will take.',
    unit: 'By',
    labels: [],
  },
} as const satisfies Record<string, MetricDefinition>;
