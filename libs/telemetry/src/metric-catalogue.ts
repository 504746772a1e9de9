interface MetricDefinition {
  readonly kind: 'counter' | 'histogram' | 'gauge' | 'process';
  readonly description: string;
  readonly unit: string;
  readonly labels: readonly string[];
}

/**
 * Every metric we export, once. Prometheus names follow OpenTelemetry's rules: dots become underscores, the unit and
 * `_total` are appended.
 */
export const metricCatalogue = {
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
  'records.settled': {
    kind: 'counter',
    description: 'Records settled by a consumer.',
    unit: '{record}',
    labels: ['group', 'topic', 'settlement'],
  },
  'messaging.process.duration': {
    kind: 'histogram',
    description: 'Time one attempt took.',
    unit: 's',
    labels: ['group', 'topic'],
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
  },
  'ledger.rows': { kind: 'counter', description: 'Rows written to the ledger.', unit: '{row}', labels: [] },
  'ledger.checkpoints': {
    kind: 'counter',
    description: 'Checkpoints of the ledger that were signed and published.',
    unit: '{checkpoint}',
    labels: [],
  },
  'ledger.trees.refused': {
    kind: 'gauge',
    description: 'Trees of the ledger that are not signed, because they contradict what was signed or have a gap.',
    unit: '{tree}',
    labels: [],
  },
  'connections.suspended': {
    kind: 'gauge',
    description: 'Connections that wait for a person.',
    unit: '{connection}',
    labels: ['destination'],
  },
  'process.memory.usage': { kind: 'gauge', description: 'Resident memory.', unit: 'By', labels: [] },
  'process.cpu.time': { kind: 'process', description: 'CPU time used.', unit: 's', labels: [] },
} as const satisfies Record<string, MetricDefinition>;

type Catalogue = typeof metricCatalogue;
export type MetricName<Kind extends MetricDefinition['kind']> = {
  [Name in keyof Catalogue]: Catalogue[Name]['kind'] extends Kind ? Name : never;
}[keyof Catalogue];
