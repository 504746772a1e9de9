import type { ProduceRequestFacts, RuntimeObserver, RuntimeSnapshot } from '@tributary/kafka';
import type { Metrics } from '@tributary/telemetry';
import { commitLabels, MessagingLabels, pollLabels, sendLabels } from './messaging-labels.js';

/** Counts what consumers do. */
export function observerFor(metrics: Metrics): RuntimeObserver {
  const labels = new MessagingLabels();
  return {
    started: ({ group, isEarly, isRepeat, delay }) => {
      if (isEarly) metrics.add('attempts.early', 1, { group });
      if (isRepeat) metrics.add('attempts.repeated', 1, { group });
      if (delay) metrics.record('delay.error', delay.errorMs / 1000, { group, kind: delay.kind });
    },
    attempted: ({ group, topic, records, settlement, durationMs }) => {
      metrics.add('records.settled', records, { group, topic, settlement });
      metrics.record('messaging.process.duration', durationMs / 1000, labels.of('process', topic, group));
    },
    polled: ({ durationMs }) => metrics.record('messaging.client.operation.duration', durationMs / 1000, pollLabels),
    consumed: ({ group, topic, records }) =>
      metrics.add('messaging.client.consumed.messages', records, labels.of('poll', topic, group)),
    committed: ({ group, durationMs }) => {
      metrics.add('commits', 1, { group, result: 'acknowledged' });
      metrics.record('messaging.client.operation.duration', durationMs / 1000, commitLabels);
    },
    commitFailed: ({ group, error, durationMs }) => {
      metrics.add('commits', 1, { group, result: 'failed' });
      const type = error instanceof Error ? error.name : 'unknown';
      metrics.record('messaging.client.operation.duration', durationMs / 1000, { ...commitLabels, 'error.type': type });
    },
    deadLettered: ({ group, topic, failure }) =>
      metrics.add('records.dead_lettered', 1, { group, topic, error_class: failure.errorClass }),
    assigned: ({ group }) => {
      // Counters that must stay 0 are exported from the beginning: an alert on a series that is not there never fires.
      metrics.add('attempts.early', 0, { group });
      metrics.add('attempts.repeated', 0, { group });
      metrics.add('pauses.ended', 0, { group, reason: 'none' });
    },
    pauseEnded: ({ group, reason }) => metrics.add('pauses.ended', 1, { group, reason }),
  };
}

/** Counts what a producer sends. */
export function producerMetrics(metrics: Metrics): (request: ProduceRequestFacts) => void {
  const labels = new MessagingLabels();
  return ({ durationMs, acknowledged, error }) => {
    metrics.record(
      'messaging.client.operation.duration',
      durationMs / 1000,
      error === undefined ? sendLabels : { ...sendLabels, 'error.type': error },
    );
    for (const [topic, records] of acknowledged)
      metrics.add('messaging.client.sent.messages', records, labels.of('send', topic));
  };
}

type Labelled = readonly [number, Readonly<Record<string, string>>];

/** One scrape asks for many gauges; what they are made of is collected once. */
const collectedForMs = 500;

/** Says at each scrape what consumers hold: windows, lag, held keys, gates, pauses. */
export function observeRuntimes(metrics: Metrics, snapshot: () => RuntimeSnapshot[], nowMs: () => number): void {
  let collected: { readonly atMs: number; readonly runtimes: RuntimeSnapshot[] } | undefined;
  const runtimes = (): RuntimeSnapshot[] => {
    const atMs = nowMs();
    if (!collected || atMs - collected.atMs > collectedForMs) collected = { atMs, runtimes: snapshot() };
    return collected.runtimes;
  };
  const perPartition = (read: (partition: Partition, runtime: RuntimeSnapshot) => number): Labelled[] =>
    runtimes().flatMap((runtime) =>
      runtime.partitions.map((one): Labelled => [read(one, runtime), labelsOf(runtime, one)]),
    );
  const perRuntime = (read: (runtime: RuntimeSnapshot) => number): Labelled[] =>
    runtimes().map((runtime): Labelled => [read(runtime), { group: runtime.group }]);

  metrics.observe('consumer.ready', () => perRuntime(({ state }) => (state === 'ready' ? 1 : 0)));
  metrics.observe('consumer.partitions', () => perRuntime(({ partitions }) => partitions.length));
  metrics.observe('window.records', () => perPartition((one) => one.windowRecords));
  metrics.observe('window.size', () => perPartition((one) => one.windowBytes));
  metrics.observe('window.map.size', () => perPartition((one) => one.mapBytes));
  metrics.observe('lag.time', () => perPartition((one, runtime) => lagSeconds(one, runtime, nowMs())));
  metrics.observe('unacknowledged.oldest.age', () =>
    perRuntime((runtime) => Math.max(0, ...runtime.partitions.map((one) => lagSeconds(one, runtime, nowMs())))),
  );
  metrics.observe('keys.held', () => runtimes().flatMap(heldKeys));
  metrics.observe('keys.held.oldest.age', () => perRuntime((runtime) => longestHeldSeconds(runtime, nowMs())));
  metrics.observe('keys.dead.oldest.age', () => perRuntime((runtime) => longestDeadSeconds(runtime, nowMs())));
  metrics.observe('records.parked', () => runtimes().flatMap(parkedRecords));
  metrics.observe('gates.closed', () =>
    runtimes().flatMap(({ group, gates }) =>
      counted(
        group,
        'reason',
        gates.map(({ kind, reason }) => (kind === 'closed' || kind === 'suspended' ? classOf(reason) : kind)),
        ['breaker', 'budget', 'busy'],
      ),
    ),
  );
  metrics.observe('partitions.paused', () =>
    runtimes().flatMap(({ group, pauses }) =>
      counted(
        group,
        'reason',
        pauses.map(({ reason }) => reason),
        ['unreadable-map', 'window', 'map'],
      ),
    ),
  );
}

type Partition = RuntimeSnapshot['partitions'][number];

const labelsOf = ({ group }: RuntimeSnapshot, { topic, partition }: Partition) => ({
  group,
  topic,
  partition: String(partition),
});

function lagSeconds({ topic, partition, oldestUnfinishedMs }: Partition, { parked }: RuntimeSnapshot, now: number) {
  const inRetry = parked.find((one) => one.topic === topic && one.partition === partition)?.oldestFailureMs;
  const oldestMs = Math.min(oldestUnfinishedMs ?? Number.POSITIVE_INFINITY, inRetry ?? Number.POSITIVE_INFINITY);
  return Number.isFinite(oldestMs) ? Math.max(0, now - oldestMs) / 1000 : 0;
}

function heldKeys({ group, heldLanes, parked }: RuntimeSnapshot): Labelled[] {
  const states = heldLanes.map(({ state }) => state as string);
  for (const { heads } of parked)
    for (const { deadLetter } of heads) states.push(deadLetter === undefined ? 'parked' : 'dead');
  return counted(group, 'state', states, ['held', 'gated', 'blocked', 'parked', 'dead']);
}

function longestHeldSeconds({ heldLanes, parked }: RuntimeSnapshot, now: number): number {
  let oldestMs = now;
  for (const { sinceMs } of heldLanes) oldestMs = Math.min(oldestMs, sinceMs);
  for (const { oldestFailureMs } of parked) oldestMs = Math.min(oldestMs, oldestFailureMs ?? now);
  return (now - oldestMs) / 1000;
}

function longestDeadSeconds({ parked }: RuntimeSnapshot, now: number): number {
  return (now - Math.min(now, ...parked.map(({ oldestDeadMs }) => oldestDeadMs ?? now))) / 1000;
}

function parkedRecords({ group, parked }: RuntimeSnapshot): Labelled[] {
  const byTopic = new Map<string, number>();
  for (const { topic, records } of parked) byTopic.set(topic, (byTopic.get(topic) ?? 0) + records);
  return [...byTopic].map(([topic, records]): Labelled => [records, { group, topic }]);
}

/** `always`: values that are said to be 0 when nothing has them. */
function counted(group: string, label: string, values: readonly string[], always: readonly string[] = []): Labelled[] {
  const counts = new Map(always.map((value) => [value, 0]));
  for (const value of values) counts.set(value, (counts.get(value) ?? 0) + 1);
  return [...counts].map(([value, count]): Labelled => [count, { group, [label]: value }]);
}

/** Reasons begin with the class of the failure; the rest quotes the destination and would make a series of every text. */
const classOf = (reason: string): string => /^[a-z-]+/.exec(reason)?.[0] ?? 'other';
