import type { MetricDefinition } from './metric-definition.js';

/** The conventions prescribe them. In seconds. */
export const messagingBuckets = [0.005, 0.01, 0.025, 0.05, 0.075, 0.1, 0.25, 0.5, 0.75, 1, 2.5, 5, 7.5, 10];

/** The metrics of the OpenTelemetry messaging conventions, under their own label names. */
export const messagingMetrics = {
  'messaging.client.operation.duration': {
    kind: 'histogram',
    description: 'Time one request to Kafka took, by what it was: send, poll or commit.',
    unit: 's',
    labels: ['messaging.system', 'messaging.operation.name', 'messaging.operation.type', 'error.type'],
    buckets: messagingBuckets,
  },
  'messaging.client.sent.messages': {
    kind: 'counter',
    description: 'Records that Kafka acknowledged.',
    unit: '{message}',
    labels: ['messaging.system', 'messaging.operation.name', 'messaging.destination.name'],
  },
  'messaging.client.consumed.messages': {
    kind: 'counter',
    description: 'Records that were fetched.',
    unit: '{message}',
    labels: [
      'messaging.system',
      'messaging.operation.name',
      'messaging.destination.name',
      'messaging.consumer.group.name',
    ],
  },
  'messaging.process.duration': {
    kind: 'histogram',
    description: 'Time one attempt took.',
    unit: 's',
    labels: [
      'messaging.system',
      'messaging.operation.name',
      'messaging.destination.name',
      'messaging.consumer.group.name',
    ],
    buckets: messagingBuckets,
  },
} as const satisfies Record<string, MetricDefinition>;
