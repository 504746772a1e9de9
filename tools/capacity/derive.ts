/** What `npm run bench:capacity -- --write` keeps. */
export interface MeasuredCosts {
  readonly rate: number;
  readonly deliveriesPerEvent: number;
  readonly cpuSecondsPer1000: Readonly<Record<string, number>>;
  readonly topicBytesPer1000: Readonly<Record<string, number>>;
  readonly tableBytesPer1000: Readonly<Record<string, number>>;
  readonly conditions: string;
}

export interface ServiceNeed {
  readonly service: string;
  readonly cores: number;
  readonly pods: number;
}

export interface Needs {
  readonly rate: number;
  readonly services: readonly ServiceNeed[];
  /** Of each topic that this service consumes. */
  readonly partitions: Readonly<Record<string, number>>;
  readonly kafka: { readonly cores: number; readonly mebibytesPerSecond: number; readonly terabytes: number };
  readonly database: { readonly cores: number; readonly gigabytesPerDay: number };
}

/** A Node process uses one core; above this share a peak or a garbage collection makes it late. */
const busyShare = 0.7;
/** Of everything, so that one may be replaced. */
const leastPods = 2;
const replicas = 3;
const partitionSteps = [6, 12, 24, 48, 96, 192, 384, 768];
const secondsPerDay = 86_400;

/** Days that a topic keeps its records, by the first word of its name. */
const retentionDays: Readonly<Record<string, number>> = { raw: 7 };
const usualRetentionDays = 14;

const infrastructure = new Set(['kafka', 'postgres', 'registry', 'load and receiver', 'console']);
const consumers = ['normalizer', 'router', 'connector-http', 'audit-logger'];

/** What a rate of events needs, if all costs grow with it. */
export function needsAt(rate: number, costs: MeasuredCosts): Needs {
  const coresOf = (name: string) => ((costs.cpuSecondsPer1000[name] ?? 0) * rate) / 1_000;
  const services = Object.keys(costs.cpuSecondsPer1000)
    .filter((name) => !infrastructure.has(name))
    .map((service) => ({ service, cores: coresOf(service), pods: podsFor(coresOf(service)) }));
  const podsOf = (name: string) => services.find(({ service }) => service === name)?.pods ?? leastPods;
  return {
    rate,
    services,
    partitions: Object.fromEntries(consumers.map((name) => [name, partitionsFor(podsOf(name))])),
    kafka: {
      cores: coresOf('kafka') * replicas,
      mebibytesPerSecond: (sumOf(costs.topicBytesPer1000) * rate * replicas) / 1_000 / 2 ** 20,
      terabytes: (keptBytesPer1000(costs) * rate * replicas) / 1_000 / 1e12,
    },
    database: {
      cores: coresOf('postgres'),
      gigabytesPerDay: (sumOf(costs.tableBytesPer1000) * rate * secondsPerDay) / 1_000 / 1e9,
    },
  };
}

const podsFor = (cores: number): number => Math.max(leastPods, Math.ceil(cores / busyShare));

/** Twice the pods, so that there is room to grow: a later change moves keys to other partitions. */
function partitionsFor(pods: number): number {
  const wanted = pods * 2;
  return partitionSteps.find((step) => step >= wanted) ?? Math.ceil(wanted / 96) * 96;
}

const sumOf = (bytes: Readonly<Record<string, number>>): number =>
  Object.values(bytes).reduce((sum, one) => sum + one, 0);

/** Bytes that lie in Kafka for each thousand events a second, over the days that each topic keeps them. */
function keptBytesPer1000({ topicBytesPer1000 }: MeasuredCosts): number {
  return Object.entries(topicBytesPer1000).reduce((sum, [topic, bytes]) => {
    // Kafka's own are compacted: they do not grow with time.
    if (topic.startsWith('__')) return sum;
    const days = retentionDays[topic.split('.', 1)[0] ?? ''] ?? usualRetentionDays;
    return sum + bytes * days * secondsPerDay;
  }, 0);
}

/** The rate at which one process of a service is full, smallest first: what has to grow first. */
export function limits(
  costs: MeasuredCosts,
): ReadonlyArray<{ readonly name: string; readonly eventsPerSecond: number }> {
  return Object.entries(costs.cpuSecondsPer1000)
    .filter(([name]) => !infrastructure.has(name) || name === 'postgres')
    .map(([name, seconds]) => ({ name, eventsPerSecond: (busyShare * 1_000) / seconds }))
    .sort((a, b) => a.eventsPerSecond - b.eventsPerSecond);
}
