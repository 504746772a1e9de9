import { type AuditRecord, topicFamilies } from '@tributary/contracts';
import {
  acceptedRecord,
  attemptedRecord,
  deliveryId,
  operatedRecord,
  plannedRecord,
  settledRecord,
  sha256Hex,
} from '@tributary/domain';

/** What the records are about: so many of each, in turn. */
const tenants = 20;
const eventsPerSubject = 5;
const rawTopic = topicFamilies.raw('gusto').name;
const eventsTopic = topicFamilies.events('people').name;
const destinations = ['slack', 'http', 'hubspot'] as const;
/** One delivery of so many fails once before it is delivered, one of so many dies. */
const failsOnce = 10;
const dies = 200;
/** One event of so many is followed by an act of an operator. */
const operated = 500;

export interface Story {
  readonly tenant: string;
  readonly subject: string;
  readonly eventId: string;
  readonly records: readonly AuditRecord[];
}

const hex = (text: string): string => sha256Hex(text);

/** The subject of the n-th event: people are hired, paid, moved, and come again within a while. */
export const subjectOf = (n: number): string => hex(`subject ${Math.floor(n / eventsPerSubject)}`).slice(0, 36);
export const tenantOf = (n: number): string => `tenant-${Math.floor(n / eventsPerSubject) % tenants}`;
export const eventIdOf = (n: number): string => hex(`event ${n}`).slice(0, 36);

/** Everything that the stages tell about the n-th event: accepted, planned, three deliveries, some attempts that failed. */
export function storyOf(n: number, atMs: number): Story {
  const tenant = tenantOf(n);
  const subject = subjectOf(n);
  const eventId = eventIdOf(n);
  const eventSource = `/${tenant}/${tenant}-gusto`;
  const what = { tenant, eventSource, eventId, eventType: 'people.employee.updated', subject };
  const traceId = hex(`trace ${n}`).slice(0, 32);
  const payloadDigest = hex(`payload ${n}`);
  const partition = n % 6;
  const offset = Math.floor(n / 6);
  const records = [
    acceptedRecord({
      ...what,
      actor: 'normalizer/normalizer-0',
      occurredAtMs: atMs,
      traceId,
      origin: { topic: rawTopic, partition, offset },
      outcome: 'normalized',
      source: 'gusto',
      connectionId: `${tenant}-gusto`,
      eventIds: [eventId],
      payloadDigest,
    }),
    plannedRecord({
      ...what,
      actor: 'router/router-0',
      occurredAtMs: atMs + 4,
      traceId,
      origin: { topic: eventsTopic, partition, offset },
      deliveries: destinations.map((destination) => deliveryTo(destination, what)),
      skipped: [],
      payloadDigest,
    }),
  ];
  for (const [i, destination] of destinations.entries()) {
    records.push(...deliveryStory({ n: n * destinations.length + i, destination, what, atMs, traceId, payloadDigest }));
  }
  if (n % operated === 0) {
    const entity = `dead-letter:delivery.slack.v1.dlt/0/${n}`;
    const reason = 'mended the channel';
    records.push(
      operatedRecord({
        ...what,
        actor: `cli/ada-${n % 7}`,
        occurredAtMs: atMs,
        action: 'redriven',
        entity,
        reason,
        identity: 'x',
      }),
    );
  }
  return { tenant, subject, eventId, records };
}

interface What {
  readonly tenant: string;
  readonly eventSource: string;
  readonly eventId: string;
}

function deliveryTo(destination: string, { tenant, eventSource, eventId }: What) {
  const subscriptionId = `${tenant}-${destination}-hires`;
  return {
    deliveryId: deliveryId(eventSource, eventId, subscriptionId),
    subscriptionId,
    connectionId: `${tenant}-${destination}`,
    destination,
    operation: 'postMessage',
  };
}

interface Delivery {
  readonly n: number;
  readonly destination: string;
  readonly what: What;
  readonly atMs: number;
  readonly traceId: string;
  readonly payloadDigest: string;
}

function deliveryStory({ n, destination, what, atMs, traceId, payloadDigest }: Delivery): AuditRecord[] {
  const failure = {
    errorClass: 'unavailable',
    code: 'HTTP_503',
    reason: 'the destination answered 503',
    stage: 'send',
  } as const;
  const facts = {
    ...what,
    ...deliveryTo(destination, what),
    actor: `connector-${destination}/0`,
    traceId,
    origin: { topic: topicFamilies.delivery(destination).name, partition: n % 6, offset: Math.floor(n / 6) },
    durationMs: 20 + (n % 80),
    occurredAtMs: atMs + 40 + (n % 100),
  };
  const failed =
    n % failsOnce === 0 ? [attemptedRecord({ ...facts, attempt: 1, outcome: 'unavailable', failure })] : [];
  const settled = settledRecord({
    ...facts,
    attempt: 1 + failed.length,
    outcome: n % dies === 1 ? 'dead' : 'delivered',
    ...(n % dies === 1 ? { failure } : { receipt: `msg_${traceId.slice(0, 20)}` }),
    payloadDigest,
    acceptedAtMs: atMs,
  });
  return [...failed, settled];
}
