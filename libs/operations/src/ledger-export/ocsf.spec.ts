import { type LedgerRow, leafHash } from '@tributary/ledger';
import { ledgerColumns } from '@tributary/persistence';
import { describe, expect, it } from 'vitest';
import { ocsfEvent } from './ocsf.js';
import { textFormats } from './row-formats.js';

const numbers = ['timestamp', 'bigint', 'int'];
const emptyRow = Object.fromEntries(
  [...ledgerColumns].map(([name, kind]) => [name, numbers.includes(kind) ? 0 : null]),
);
const aRow = (over: LedgerRow): LedgerRow => ({
  ...emptyRow,
  audit_id: 'a1',
  audit_partition: 3,
  audit_offset: 42,
  recorded_at: 1_700_000_000_500,
  occurred_at: 1_700_000_000_000,
  actor: 'connector/1',
  stage: 'connector',
  action: 'settled',
  outcome: 'delivered',
  deliveries: [],
  skipped: [],
  details: {},
  ...over,
});

const stages = ['ingress', 'normalizer', 'router', 'connector', 'audit-logger', 'operator'];
const actions = [
  ...['accepted', 'rejected', 'planned', 'attempted', 'settled', 'unreadable', 'redriven', 'discarded', 'applied'],
  ...['removed', 'suspended', 'resumed', 'offsets-accepted', 'exported', 'read', 'held', 'something-of-tomorrow'],
];
const every = stages.flatMap((stage) =>
  actions.flatMap((action) => [
    { stage, action, outcome: 'done', entity: 'connection:c1' },
    {
      stage,
      action,
      outcome: 'dead',
      entity: null,
      source: 'gusto',
      event_id: 'e',
      event_type: 't',
      destination: 'slack',
    },
  ]),
);

describe('an OCSF event', () => {
  it.each(every)('has all that its class requires: $stage $action $outcome', (over) => {
    const event = ocsfEvent(aRow(over)) as Record<string, never>;
    const integers = ['activity_id', 'category_uid', 'class_uid', 'type_uid', 'severity_id', 'status_id', 'time'];
    for (const name of integers) expect([name, Number.isSafeInteger(event[name])]).toEqual([name, true]);
    expect(event.type_uid).toBe(Number(event.class_uid) * 100 + Number(event.activity_id));
    const names = new Map([1, 2, 3, 4].map((id, i) => [id, ['Create', 'Read', 'Update', 'Delete'][i]])).set(
      99,
      over.action,
    );
    expect(names.get(Number(event.activity_id))).toBe(event.activity_name);
    expect(event.unmapped).toMatchObject({ action: over.action });
    expect(event.metadata).toMatchObject({
      version: expect.stringMatching(/^\d+\.\d+\.\d+$/),
      product: { name: 'Tributary' },
    });
    expect(event.message).toEqual(expect.any(String));
    const required =
      over.stage === 'operator'
        ? { class_uid: 3004, category_uid: 3, entity: expect.anything(), actor: { user: { name: 'connector/1' } } }
        : {
            class_uid: 6003,
            category_uid: 6,
            actor: { app_name: 'connector/1' },
            api: { operation: expect.stringMatching(/./) },
            src_endpoint: { name: expect.stringMatching(/./) },
          };
    expect(event).toMatchObject(required);
    expect(JSON.stringify(event)).not.toContain('null');
  });

  it('leads back to the row of the ledger', () => {
    const row = aRow({ tenant: 'acme', trace_id: 't1', event_id: 'e1', event_type: 'people.employee.onboarded' });
    expect(ocsfEvent(row)).toMatchObject({
      time: 1_700_000_000_000,
      metadata: {
        uid: 'a1',
        sequence: 42,
        logged_time: 1_700_000_000_500,
        tenant_uid: 'acme',
        correlation_uid: 't1',
        original_event_uid: 'e1',
      },
      raw_data_hash: { algorithm_id: 3, value: leafHash(row).toString('hex') },
    });
  });

  it.each([
    ['delivered', 1],
    ['dead', 2],
    ['rejected', 2],
    ['duplicate', 1],
  ])('says that %s is status %i', (outcome, status) => {
    expect(ocsfEvent(aRow({ outcome }))).toMatchObject({ status_id: status, severity_id: status === 2 ? 3 : 1 });
  });

  it.each([
    ['subscription:s1', { type: 'subscription', uid: 's1' }],
    ['dead-letter:t:1:2', { type: 'dead-letter', uid: 't:1:2' }],
    ['odd', { type: 'other', name: 'odd' }],
  ])('names the entity %s', (entity, expected) => {
    expect(ocsfEvent(aRow({ stage: 'operator', action: 'applied', entity }))).toMatchObject({ entity: expected });
  });

  it('is one line', () => {
    const line = textFormats.ocsf.write(aRow({ entity: 'a\nb' }));
    expect(line.indexOf('\n')).toBe(line.length - 1);
  });
});
