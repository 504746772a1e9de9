import { randomUUID } from 'node:crypto';
import {
  cloudEventHeaders as ce,
  deliveryHeaders,
  errorHeaders,
  originHeaders,
  redriveHeaders,
  retryHeaders,
} from '@tributary/contracts';
import type { IncomingRecord, OutgoingRecord } from '@tributary/kafka';
import { type DeadLetter, type DeadLetterState, deadLetterEntity } from './dead-letter.js';
import type { AuditRecordFacts } from './facts.js';

export interface DeadLetterFilter {
  readonly connection?: string;
  readonly errorClass?: string;
  readonly fingerprint?: string;
  readonly key?: string;
  readonly sinceMs?: number;
}

export interface DeadLetterPorts {
  readonly scan: (topic: string, onRecord: (record: IncomingRecord) => void) => Promise<void>;
  /** States of the dead letters of a topic by entity, from the ledger; complete up to now. */
  readonly statesOf: (topic: string) => Promise<ReadonlyMap<string, DeadLetterState>>;
  readonly send: (record: OutgoingRecord) => Promise<unknown>;
  readonly audit: (facts: AuditRecordFacts) => Promise<void>;
}

export class NotADeadLetter extends Error {
  override readonly name = 'NotADeadLetter';
}

/** Dead-letter topics as operators see and treat them. Every act is audited with who and why. */
export class DeadLetters {
  /** What was done here, by id: a listing from before does not know of it. */
  private readonly acted = new Map<string, DeadLetterState>();

  constructor(private readonly ports: DeadLetterPorts) {}

  /** Dead letters of a topic, oldest first by partition. */
  async list(topic: string, filter: DeadLetterFilter = {}): Promise<DeadLetter[]> {
    const states = await this.ports.statesOf(topic);
    const found: DeadLetter[] = [];
    await this.ports.scan(topic, (record) => {
      if (matches(record, filter))
        found.push({ id: idOf(record), record, state: states.get(deadLetterEntity(idOf(record))) ?? 'open' });
    });
    return found;
  }

  async show(id: string): Promise<DeadLetter> {
    const { topic } = parseId(id);
    const letter = (await this.list(topic)).find((one) => one.id === id);
    if (!letter) throw new NotADeadLetter(`${id} is not there; tributary dlt list shows what is`);
    return letter;
  }

  /**
   * Sends a dead letter through its group's own chain again: same key, same partition, same delivery id.
   * @throws NotADeadLetter when it was redriven or discarded before.
   */
  async redrive(letter: DeadLetter, actor: string, reason: string): Promise<string> {
    this.begin(letter, 'redriven');
    const redriveId = randomUUID();
    await this.ports.send(redriven(letter.record, redriveId)).catch((error: unknown) => {
      this.acted.delete(letter.id);
      throw error;
    });
    await this.ports.audit({ action: 'redriven', letter, actor, reason, identity: redriveId });
    return redriveId;
  }

  async discard(letter: DeadLetter, actor: string, reason: string): Promise<void> {
    this.begin(letter, 'discarded');
    await this.ports
      .audit({ action: 'discarded', letter, actor, reason, identity: letter.id })
      .catch((error: unknown) => {
        this.acted.delete(letter.id);
        throw error;
      });
  }

  private begin({ id, state }: DeadLetter, act: DeadLetterState): void {
    const stands = this.acted.get(id) ?? state;
    if (stands !== 'open') throw new NotADeadLetter(`${id} is ${stands} already`);
    this.acted.set(id, act);
  }
}

export const idOf = ({ topic, partition, offset }: IncomingRecord): string => `${topic}/${partition}/${offset}`;

export function parseId(id: string): { readonly topic: string; readonly partition: number; readonly offset: bigint } {
  const match = /^(.+\.dlt)\/(\d+)\/(\d+)$/.exec(id);
  if (!match) throw new NotADeadLetter(`${id} is not the id of a dead letter: <topic>.dlt/<partition>/<offset>`);
  return { topic: match[1] ?? '', partition: Number(match[2]), offset: BigInt(match[3] ?? '0') };
}

function matches({ headers, key, timestampMs }: IncomingRecord, filter: DeadLetterFilter): boolean {
  return (
    (filter.connection === undefined || headers[deliveryHeaders.connectionId] === filter.connection) &&
    (filter.errorClass === undefined || headers[errorHeaders.class] === filter.errorClass) &&
    (filter.fingerprint === undefined || headers[errorHeaders.fingerprint] === filter.fingerprint) &&
    (filter.key === undefined || key?.toString('utf8') === filter.key) &&
    (filter.sinceMs === undefined || timestampMs >= filter.sinceMs)
  );
}

// Where it came from stays with it; what happened to it begins anew.
const startsAnew = new Set<string>([...Object.values(retryHeaders), ...Object.values(errorHeaders)]);

function redriven(record: IncomingRecord, redriveId: string): OutgoingRecord {
  const kept = Object.entries(record.rawHeaders).filter(([name]) => !startsAnew.has(name.toLowerCase()));
  const count = (Number(record.headers[redriveHeaders.count]) || 0) + 1;
  return {
    topic: record.topic.replace(/\.dlt$/, '.retry'),
    partition: record.partition,
    key: record.key,
    value: record.value,
    timestampMs: Date.now(),
    headers: { ...Object.fromEntries(kept), [redriveHeaders.id]: redriveId, [redriveHeaders.count]: String(count) },
  };
}

/** What a person wants to see of a dead letter in one line. */
export function summaryOf({ id, state, record }: DeadLetter) {
  const { headers } = record;
  return {
    id,
    state,
    at: new Date(record.timestampMs).toISOString(),
    class: headers[errorHeaders.class] ?? '',
    code: headers[errorHeaders.code] ?? '',
    reason: headers[errorHeaders.message] ?? '',
    attempts: headers[retryHeaders.attempt] ?? '',
    event: headers[ce.id] ?? '',
    connection: headers[deliveryHeaders.connectionId] ?? '',
    key: record.key?.toString('utf8') ?? '',
    origin: `${headers[originHeaders.topic]}/${headers[originHeaders.partition]}/${headers[originHeaders.offset]}`,
    fingerprint: headers[errorHeaders.fingerprint] ?? '',
  };
}
