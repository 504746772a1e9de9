import { type AuditRecord, latestSchema } from '@tributary/contracts';
import { acceptedRecord, plannedRecord, rejectedRecord, settledRecord } from '@tributary/domain';
import { describe, expect, it } from 'vitest';
import { dataSubjectOf, nameOf, splitRecord } from './personal-fields.js';

interface Field {
  readonly name: string;
  readonly personal?: boolean;
  readonly type: unknown;
}

const schema = latestSchema('tributary.audit.AuditRecord') as { readonly fields: readonly Field[] };
const who = { actor: 'a', occurredAtMs: 1 };
const what = { tenant: 'acme', eventSource: '/acme/in', eventId: 'e', subject: 'ada' };
const origin = { topic: 't', partition: 0, offset: 0 };
const delivery = { deliveryId: 'd', subscriptionId: 's', connectionId: 'c', destination: 'http', operation: 'o' };

const everything: AuditRecord = {
  ...acceptedRecord({
    ...who,
    ...what,
    origin,
    outcome: 'dead',
    source: 's',
    connectionId: 'c',
    eventIds: ['e', 'f'],
    payloadDigest: '',
  }),
  reason: 'ada@example.com bounced',
  receipt: 'to ada',
  details: { note: 'ada', status: '401' },
  skipped: [
    { subscriptionId: 'one', reason: 'filter failed: ada is no number' },
    { subscriptionId: 'two', reason: 'filter' },
  ],
};

describe('splitRecord', () => {
  it('takes out every field that the schema marks as personal, and no other', () => {
    const marked = schema.fields.filter(({ personal }) => personal).map(({ name }) => name);
    const { personal } = splitRecord(everything);
    expect(Object.keys(personal ?? {}).sort()).toEqual([...marked, 'skipped'].sort());
  });

  it('leaves nothing of what others said in what is not encrypted', () => {
    const { details, skipped, personal } = splitRecord(everything);
    expect(details).toEqual({ status: '401' });
    expect(skipped).toEqual([
      { subscriptionId: 'one', reason: 'filter failed' },
      { subscriptionId: 'two', reason: 'filter' },
    ]);
    expect(personal).toEqual({
      subject: 'ada',
      reason: 'ada@example.com bounced',
      receipt: 'to ada',
      details: { note: 'ada' },
      skipped: { one: 'filter failed: ada is no number' },
    });
  });

  it.each([
    [
      'a planned event',
      plannedRecord({ ...who, ...what, subject: undefined, origin, deliveries: [], skipped: [], payloadDigest: '' }),
    ],
    [
      'a delivery',
      settledRecord({
        ...who,
        ...what,
        ...delivery,
        subject: undefined,
        origin,
        attempt: 1,
        durationMs: 1,
        outcome: 'delivered',
        payloadDigest: '',
        acceptedAtMs: 1,
      }),
    ],
  ])('finds nothing personal in %s without a subject', (_, record) => {
    expect(splitRecord(record).personal).toBeUndefined();
  });

  it('keeps the details that our own stages write in plain text', () => {
    const rejected = rejectedRecord({
      ...who,
      connectionId: 'c',
      status: 401,
      code: 'x',
      reason: 'x',
      payloadDigest: '',
      count: 2,
    });
    expect(splitRecord(rejected).details).toEqual({ status: '401', count: '2' });
  });
});

describe('dataSubjectOf', () => {
  it('names the subject, else the event, else the tenant, and never one like the other', () => {
    const names = [
      { subject: 'x', eventId: 'y', eventSource: 'z' },
      { subject: null, eventId: 'x', eventSource: 'z' },
      { subject: null, eventId: 'x', eventSource: null },
      { subject: null, eventId: null, eventSource: null },
      { subject: 'tenant', eventId: null, eventSource: null },
    ].map((record) => nameOf(dataSubjectOf(record)));
    expect(new Set(names).size).toBe(names.length);
  });
});
