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
  'window.oldest.age': {
    kind: 'gauge',
    description: 'Age of the oldest record taken and not yet settled.',
    unit: 's',
    labels: ['group', 'topic', 'partition'],
  },
  'lanes.held': {
    kind: 'gauge',
    description: 'Lanes whose head waits for a later attempt.',
    unit: '{lane}',
    labels: ['group'],
  },
  'gates.closed': {
    kind: 'gauge',
    description: 'Gates closed by a destination or a suspension.',
    unit: '{gate}',
    labels: ['group'],
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
