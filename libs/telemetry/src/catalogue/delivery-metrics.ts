import type { MetricDefinition } from './metric-definition.js';

/** From a raw record to a delivery. */
export const deliveryMetrics = {
  'events.normalized': {
    kind: 'counter',
    description: 'Raw records by what became of them.',
    unit: '{record}',
    labels: ['source', 'outcome'],
  },
  'deliveries.planned': {
    kind: 'counter',
    description: 'Deliveries planned by the router.',
    unit: '{delivery}',
    labels: ['destination'],
  },
  'delivery.attempts': {
    kind: 'counter',
    description: 'Attempts at a destination by outcome.',
    unit: '{attempt}',
    labels: ['destination', 'outcome'],
  },
  'delivery.attempt.duration': {
    kind: 'histogram',
    description: 'Time one attempt at a destination took.',
    unit: 's',
    labels: ['destination', 'outcome'],
    buckets: [
      0.005, 0.01, 0.025, 0.05, 0.075, 0.1, 0.15, 0.2, 0.25, 0.3, 0.4, 0.5, 0.75, 1, 1.5, 2, 2.5, 3, 4, 5, 7.5, 10, 15,
      30,
    ],
  },
  'delivery.duration': {
    kind: 'histogram',
    description: 'Time from the acceptance of an event to the end of its delivery: delivered, or dead.',
    unit: 's',
    labels: ['destination', 'outcome'],
    buckets: [0.05, 0.1, 0.25, 0.5, 0.75, 1, 1.5, 2, 3, 5, 7.5, 10, 30, 60, 300, 900, 3600, 14_400, 86_400],
  },
  'connections.suspended': {
    kind: 'gauge',
    description: 'Connections that wait for a person.',
    unit: '{connection}',
    labels: ['destination'],
  },
  'connection.budget.left': {
    kind: 'gauge',
    description:
      'Requests that a connection may send at once, by its rate and by what its vendor said; of the twenty that have least.',
    unit: '{request}',
    labels: ['destination', 'connection'],
  },
  'connection.budget.reset': {
    kind: 'gauge',
    description: 'Time until the vendor gives the connection a new budget; only of those whose vendor said so.',
    unit: 's',
    labels: ['destination', 'connection'],
  },
  'dead.letters.open': {
    kind: 'gauge',
    description: 'Dead letters that nobody has redriven or discarded.',
    unit: '{record}',
    labels: ['topic'],
  },
  'dead.letters.oldest.age': {
    kind: 'gauge',
    description: 'Age of the oldest dead letter that nobody has redriven or discarded. 0: there is none.',
    unit: 's',
    labels: ['topic'],
  },
} as const satisfies Record<string, MetricDefinition>;
