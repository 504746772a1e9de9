import type { MetricDefinition } from './metric-definition.js';

/** What consumers hold and do. */
export const consumerMetrics = {
  'consumer.ready': {
    kind: 'gauge',
    description: '1: the group assigned us our partitions, however many; 0: it has not, or the consumer has stopped.',
    unit: '1',
    labels: ['group'],
  },
  'consumer.partitions': {
    kind: 'gauge',
    description: 'Partitions that the group assigned to this process.',
    unit: '{partition}',
    labels: ['group'],
  },
  'records.settled': {
    kind: 'counter',
    description: 'Records settled by a consumer.',
    unit: '{record}',
    labels: ['group', 'topic', 'settlement'],
  },
  'records.dead_lettered': {
    kind: 'counter',
    description: 'Records written to a dead-letter topic.',
    unit: '{record}',
    labels: ['group', 'topic', 'error_class'],
  },
  commits: { kind: 'counter', description: 'Offset commits.', unit: '{commit}', labels: ['group', 'result'] },
  'window.records': {
    kind: 'gauge',
    description: 'Records taken and not yet settled.',
    unit: '{record}',
    labels: ['group', 'topic', 'partition'],
  },
  'window.size': {
    kind: 'gauge',
    description: 'Bytes of the records taken and not yet settled.',
    unit: 'By',
    labels: ['group', 'topic', 'partition'],
  },
  'window.map.size': {
    kind: 'gauge',
    description: 'Bytes the completion map can grow to; at 75 % of its 2,250 the partition is paused.',
    unit: 'By',
    labels: ['group', 'topic', 'partition'],
  },
  'lag.time': {
    kind: 'gauge',
    description:
      'Age of the oldest record that is taken and not settled, by its own timestamp; of a retry topic since its first failure. 0: nothing waits.',
    unit: 's',
    labels: ['group', 'topic', 'partition'],
  },
  'lag.records': {
    kind: 'gauge',
    description:
      'Records of a topic that a group has not committed, counted by the console from outside, so also while the consumer is gone. What is finished above a record that waits counts until that one is.',
    unit: '{record}',
    labels: ['group', 'topic'],
  },
  'unacknowledged.oldest.age': {
    kind: 'gauge',
    description: 'The largest lag.time of the process: how old the oldest record is that is not settled.',
    unit: 's',
    labels: ['group'],
  },
  'keys.held': {
    kind: 'gauge',
    description:
      'Keys that stand still: held (a later attempt), gated (a closed gate), blocked (an earlier record or a commit), parked (in the retry topic), dead (a dead letter holds it until a person decides).',
    unit: '{key}',
    labels: ['group', 'state'],
  },
  'keys.held.oldest.age': {
    kind: 'gauge',
    description:
      'How long the key has stood still that has done so longest; of parked ones since the first failure. Keys that a dead letter holds are left out.',
    unit: 's',
    labels: ['group'],
  },
  'keys.dead.oldest.age': {
    kind: 'gauge',
    description:
      'How long the key has been held by a dead letter that has been so longest, since its first failure. Neither lag nor the ages of other keys count it.',
    unit: 's',
    labels: ['group'],
  },
  'records.parked': {
    kind: 'gauge',
    description: 'Records that wait in the retry topic.',
    unit: '{record}',
    labels: ['group', 'topic'],
  },
  'gates.closed': {
    kind: 'gauge',
    description:
      'Closed gates, by what closed them; busy: all places of the connection are taken, and nothing is wrong.',
    unit: '{gate}',
    labels: ['group', 'reason'],
  },
  'delay.error': {
    kind: 'histogram',
    description:
      'How much later than due a record was attempted that had to wait, by what it waited for. Never negative.',
    unit: 's',
    labels: ['group', 'kind'],
  },
  'attempts.early': {
    kind: 'counter',
    description:
      'Attempts before their record was due, or before the pause was over that its destination asked for. Must be 0.',
    unit: '{attempt}',
    labels: ['group'],
  },
  'attempts.repeated': {
    kind: 'counter',
    description: 'Attempts at a record that this process had settled already.',
    unit: '{attempt}',
    labels: ['group'],
  },
  'pauses.ended': {
    kind: 'counter',
    description: 'Pauses that outlived their reason and were ended by the watchdog. Must be 0.',
    unit: '{pause}',
    labels: ['group', 'reason'],
  },
  'partitions.paused': {
    kind: 'gauge',
    description: 'Partitions paused, by reason.',
    unit: '{partition}',
    labels: ['group', 'reason'],
  },
} as const satisfies Record<string, MetricDefinition>;
