import type { IncomingRecord, OffsetRange, OutgoingRecord } from '@tributary/kafka';
import type { ClaimedAct, DeadLetterAct, NewDeadLetterAct } from '@tributary/persistence';
import type { DeadLetterState } from '../dead-letter.js';
import { DeadLetters } from '../dead-letters.js';
import type { AuditRecordFacts } from '../facts.js';

export const slackDeadLetters = 'delivery.slack.v1.dlt';

export const headersOfDeath = {
  ce_id: 'e1',
  ce_source: '/acme/in',
  ce_type: 'people.employee.onboarded',
  ce_tenant: 'acme',
  traceparent: '00-1',
  'x-delivery-id': 'd1',
  'x-connection-id': 'out',
  'x-origin-topic': 'delivery.slack.v1',
  'x-origin-partition': '2',
  'x-origin-offset': '77',
  'x-retry-attempt': '3',
  'x-retry-first-failure-ms': '5',
  'x-error-class': 'rejected',
  'x-error-code': '404',
  'x-error-message': 'no such channel',
  'x-error-fingerprint': 'abc',
};

export function aDeadLetter(offset: number, over: Partial<IncomingRecord> = {}): IncomingRecord {
  const rawHeaders = over.rawHeaders ?? headersOfDeath;
  return {
    topic: slackDeadLetters,
    partition: 2,
    offset: BigInt(offset),
    timestampMs: 1_000 + offset,
    key: Buffer.from('acme:7'),
    value: Buffer.from([0, 1, 2]),
    headers: Object.fromEntries(Object.entries(rawHeaders).map(([name, value]) => [name, String(value)])),
    rawHeaders,
    ...over,
  };
}

/** Dead letters in memory; `trouble` makes a port fail. */
export function worldOf(records: readonly IncomingRecord[], states: Readonly<Record<string, DeadLetterState>> = {}) {
  const acts = new Map(Object.entries(states).map(([id, state]) => [id, anAct(id, state)]));
  const sent: OutgoingRecord[] = [];
  const audits: AuditRecordFacts[] = [];
  const trouble: { send: () => void; audit: () => void } = { send: () => {}, audit: () => {} };
  let read = 0;
  const letters = new DeadLetters({
    ranges: async (topic) => {
      const held = records.filter((record) => record.topic === topic);
      return [...new Set(held.map(({ partition }) => partition))].map((partition) => {
        const offsets = held.filter((one) => one.partition === partition).map(({ offset }) => Number(offset));
        return { topic, partition, from: Math.min(...offsets), to: Math.max(...offsets) + 1 };
      });
    },
    read: async function* (ranges: readonly OffsetRange[]) {
      for (const { topic, partition, from, to } of ranges) {
        for (const record of records) {
          const offset = Number(record.offset);
          if (record.topic !== topic || record.partition !== partition || offset < from || offset >= to) continue;
          read += 1;
          yield record;
        }
      }
    },
    acts: {
      of: async (ids) => new Map(ids.flatMap((id) => (acts.has(id) ? [[id, acts.get(id) as DeadLetterAct]] : []))),
      claim: async (wanted): Promise<ClaimedAct> => {
        const known = acts.get(wanted.deadLetter);
        if (known) return { isOurs: false, by: known };
        acts.set(wanted.deadLetter, { ...wanted, begunAt: new Date(0), doneAt: null });
        return { isOurs: true, actId: wanted.actId };
      },
      finish: async (id) => void acts.set(id, { ...(acts.get(id) as DeadLetterAct), doneAt: new Date(0) }),
      giveUp: async (id) => void acts.delete(id),
    },
    send: async (record) => {
      trouble.send();
      sent.push(record);
    },
    audit: async (facts) => {
      trouble.audit();
      audits.push(facts);
    },
    nowMs: () => 42,
  });
  return { letters, sent, audits, acts, trouble, read: () => read };
}

function anAct(deadLetter: string, state: DeadLetterState): DeadLetterAct {
  const act: NewDeadLetterAct['act'] = state === 'discarded' ? 'discarded' : 'redriven';
  const doneAt = state === 'unfinished' ? null : new Date(1);
  return { deadLetter, act, actId: 'old', actor: 'bob', reason: 'before', begunAt: new Date(0), doneAt };
}
