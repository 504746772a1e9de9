import { defineSource, type RawEvent, type Translation, text } from '@tributary/connector-kit';
import type { Connection, RawRecord } from '@tributary/contracts';
import { redriveHeaders } from '@tributary/contracts';
import type { Claim, ClaimVerdict } from '@tributary/persistence';
import { describe, expect, it } from 'vitest';
import { NormalizerStage } from './normalizer-stage.js';
import { patientCodec } from './ports.js';
import { away, incoming, memoryWorld, Refused } from './testing/world.js';

const employee = (id: string) => ({
  type: 'people.employee.onboarded',
  subject: id,
  data: { type: 'people.employee.onboarded', data: '{}', occurredAt: null },
  record: 'tributary.external.ExternalEvent',
});

const sourceThat = (translate: (raw: RawEvent) => Translation, settings = {}) =>
  defineSource({
    slug: 'test',
    title: 'Test',
    summary: 'For tests.',
    settings,
    keptHeaders: [],
    events: ['people.*.*'],
    promises: { ordering: 'none', deduplication: 'event-id', retries: 'never' },
    verify: () => ({ kind: 'verified' }),
    describe: () => ({ kind: 'event', eventId: '1', eventType: 'x', subject: '1' }),
    translate,
  });

const aRaw = (over: Partial<RawRecord> = {}): RawRecord => ({
  receivedAt: 5_000,
  source: 'test',
  connection: 'in',
  tenant: 'acme',
  sourceEventId: 'e1',
  sourceEventType: 'hired',
  headers: {},
  contentType: 'application/json',
  malformed: false,
  body: Buffer.from('{}'),
  ...over,
});

interface Wishes {
  readonly translate?: (raw: RawEvent) => Translation;
  readonly settings?: Parameters<typeof sourceThat>[1];
  readonly row?: Partial<Connection>;
}

function world({ translate, settings, row }: Wishes = {}) {
  const { codec, writer, audit, audits, surroundings } = memoryWorld();
  const owners = new Map<string, string>();
  const claims = { trouble: () => {} };
  const claim = async (wanted: readonly Claim[]): Promise<ClaimVerdict[]> => {
    claims.trouble();
    return wanted.map(({ eventSource, eventId, raw }) => {
      const name = `${eventSource} ${eventId}`;
      const at = `${raw.topic}/${raw.partition}/${raw.offset}`;
      if (!owners.has(name)) owners.set(name, at);
      return owners.get(name) === at ? 'own' : 'duplicate';
    });
  };
  const definition = sourceThat(translate ?? (() => ({ kind: 'events', events: [employee('7')] })), settings);
  const outcomes: string[] = [];
  const stage = new NormalizerStage({
    codec: patientCodec(codec),
    writer,
    audit,
    claim,
    sourceOf: (slug) => (slug === 'test' ? definition : undefined),
    connectionOf: () => (row ? ({ settings: '{}', ...row } as Connection) : undefined),
    surroundings,
    actor: 'normalizer/1',
    onOutcome: (source, outcome) => outcomes.push(`${source} ${outcome}`),
  });
  const aRecord = async (offset = 0, raw: Partial<RawRecord> = {}, rawHeaders = {}) =>
    incoming({
      offset: BigInt(offset),
      rawHeaders,
      value: await codec.encode('raw.test.v1', 'tributary.raw.RawRecord', aRaw(raw)),
    });
  const events = () => writer.to('events.people.v1');
  return { codec, writer, audits, stage, aRecord, events, outcomes, claims };
}

describe('NormalizerStage', () => {
  it('writes a canonical event, keyed by its subject, and says what became of the raw record', async () => {
    const { stage, aRecord, events, audits, outcomes } = world();
    expect(await stage.handle(await aRecord())).toEqual({ to: 'commit' });
    expect(events()).toMatchObject([
      {
        key: 'acme:7',
        timestampMs: 5_000,
        headers: {
          ce_id: 'e1',
          ce_source: '/acme/in',
          ce_type: 'people.employee.onboarded',
          ce_tenant: 'acme',
          ce_subject: '7',
        },
      },
    ]);
    expect(await audits()).toMatchObject([
      { action: 'accepted', outcome: 'normalized', eventId: 'e1', events: 1, originOffset: 0, connectionId: 'in' },
    ]);
    expect(outcomes).toEqual(['test normalized']);
  });

  it('writes nothing for a duplicate, and says so', async () => {
    const { stage, aRecord, events, audits } = world();
    await stage.handle(await aRecord(0));
    await stage.handle(await aRecord(1));
    expect(events()).toHaveLength(1);
    expect(await audits()).toMatchObject([
      { outcome: 'normalized' },
      { outcome: 'duplicate', events: 0, originOffset: 1 },
    ]);
  });

  it('knows a record that was redriven as the one that claimed its event', async () => {
    const { stage, aRecord, events, writer, audits } = world();
    writer.trouble = ({ topic }) => {
      if (topic.startsWith('events.')) throw away();
    };
    await expect(stage.handle(await aRecord(4))).rejects.toThrow('does not answer');
    writer.trouble = () => undefined;
    const origin = { 'x-origin-topic': 'raw.test.v1', 'x-origin-partition': '0', 'x-origin-offset': '4' };
    const redriven = {
      ...(await aRecord(9, {}, { ...origin, [redriveHeaders.id]: 'r1' })),
      topic: 'raw.test.v1.retry',
    };
    await stage.handle(redriven);
    expect(events()).toHaveLength(1);
    expect((await audits()).at(-1)).toMatchObject({
      outcome: 'normalized',
      originTopic: 'raw.test.v1',
      originOffset: 4,
    });
  });

  it('names of a split the events that this record brings, not those that are known already', async () => {
    let ids = [0];
    const { stage, aRecord, events, audits } = world({
      translate: () => ({ kind: 'events', events: ids.map((idSuffix) => ({ ...employee('7'), idSuffix })) }),
    });
    await stage.handle(await aRecord(0));
    ids = [0, 1];
    await stage.handle(await aRecord(1));
    expect(events().map(({ headers }) => headers?.ce_id)).toEqual(['e1:0', 'e1:1']);
    expect((await audits())[1]).toMatchObject({ outcome: 'normalized', events: 1, eventId: 'e1:1' });
  });

  it.each<[string, Wishes, Partial<RawRecord>]>([
    ['the source ignores', { translate: () => ({ kind: 'ignored', reason: 'ping' }) }, {}],
    ['set a webhook up', {}, { sourceEventType: 'handshake.x' }],
    ['holds no event', { translate: () => ({ kind: 'events', events: [] }) }, {}],
  ])('records as filtered what %s', async (_, wishes, raw) => {
    const { stage, aRecord, events, audits } = world(wishes);
    expect(await stage.handle(await aRecord(0, raw))).toEqual({ to: 'commit' });
    expect(events()).toEqual([]);
    expect(await audits()).toMatchObject([{ outcome: 'filtered' }]);
  });

  it.each<[string, Wishes, Partial<RawRecord>, string]>([
    ['is malformed', {}, { malformed: true }, 'malformed'],
    ['is of an unknown source', {}, { source: 'other' }, 'source-unknown'],
    ['cannot be translated', { translate: () => ({ kind: 'invalid', reason: 'no id' }) }, {}, 'untranslatable'],
    [
      'makes the mapping throw',
      {
        translate: () => {
          throw new TypeError('oops');
        },
      },
      {},
      'untranslatable',
    ],
    [
      'has a type that is none',
      { translate: () => ({ kind: 'events', events: [{ ...employee('1'), type: 'x' }] }) },
      {},
      'type-invalid',
    ],
    [
      'has a record without a schema',
      { translate: () => ({ kind: 'events', events: [{ ...employee('1'), record: 'x.Y' }] }) },
      {},
      'record-unknown',
    ],
    [
      'does not fit its schema',
      { translate: () => ({ kind: 'events', events: [{ ...employee('1'), data: { type: 5 } }] }) },
      {},
      'INVALID_RECORD_VALUE',
    ],
    ['misses a setting of its connection', { settings: { url: text('A URL.') } }, {}, 'settings-invalid'],
  ])('dead-letters what %s, claims nothing, and tells of it once it is there', async (_, wishes, raw, code) => {
    const { stage, aRecord, events, audits, claims } = world(wishes);
    claims.trouble = () => {
      throw new Error('a dead event must not be claimed');
    };
    const record = await aRecord(0, raw);
    const settlement = await stage.handle(record);
    expect(settlement).toMatchObject({ to: 'deadLetter', failure: { errorClass: 'invalid', code } });
    expect(events()).toEqual([]);
    expect(await audits()).toEqual([]);
    if (settlement.to === 'deadLetter') await stage.recordDeath(record, settlement.failure);
    expect(await audits()).toMatchObject([
      { action: 'accepted', outcome: 'dead', errorClass: 'invalid', originOffset: 0 },
    ]);
  });

  it('takes the resend of an event that died for the event', async () => {
    let isMended = false;
    const { stage, aRecord, events } = world({
      translate: () => (isMended ? { kind: 'events', events: [employee('7')] } : { kind: 'invalid', reason: 'bug' }),
    });
    expect(await stage.handle(await aRecord(0))).toMatchObject({ to: 'deadLetter' });
    isMended = true;
    await stage.handle(await aRecord(1));
    expect(events()).toHaveLength(1);
  });

  it.each([
    ['no value', null, 'value-missing'],
    ['bytes that are no Avro', Buffer.from('garbage'), 'INVALID_AVRO'],
  ])('dead-letters a record with %s; only its key tells whose it was', async (_, value, code) => {
    const { stage, audits } = world();
    const record = incoming({ value, key: Buffer.from('acme:in:1') });
    expect(await stage.handle(record)).toMatchObject({ to: 'deadLetter', failure: { code } });
    await stage.recordDeath(record, { errorClass: 'invalid', reason: 'x' });
    await stage.recordDeath(
      { ...record, key: Buffer.from('x'.repeat(9_000)), offset: 1n },
      { errorClass: 'invalid', reason: 'x' },
    );
    expect(await audits()).toMatchObject([
      { tenant: 'acme', connectionId: 'in' },
      { tenant: '', connectionId: '' },
    ]);
  });

  it('dead-letters a record whose writer schema nobody knows', async () => {
    const { stage, aRecord, codec } = world();
    const record = await aRecord();
    codec.trouble = (act) => {
      if (act === 'decode') throw new Refused('SCHEMA_NOT_FOUND');
    };
    expect(await stage.handle(record)).toMatchObject({ to: 'deadLetter', failure: { code: 'SCHEMA_NOT_FOUND' } });
  });

  it('waits while a schema of ours is not registered', async () => {
    const { stage, aRecord, codec } = world();
    const record = await aRecord();
    codec.trouble = (act) => {
      if (act === 'encode') throw new Refused('SCHEMA_NOT_FOUND');
    };
    await expect(stage.handle(record)).rejects.toMatchObject({ retryable: true });
  });

  it.each(['events.people.v1', 'audit.records.v1'])(
    'keeps the record uncommitted while %s cannot be written',
    async (topic) => {
      const { stage, aRecord, writer, events } = world();
      writer.trouble = (record) => {
        if (record.topic === topic) throw away();
      };
      await expect(stage.handle(await aRecord())).rejects.toMatchObject({ retryable: true });
      writer.trouble = () => undefined;
      expect(await stage.handle(await aRecord())).toEqual({ to: 'commit' });
      // Never fewer; the same id where it is more.
      expect(new Set(events().map(({ headers }) => headers?.ce_id))).toEqual(new Set(['e1']));
    },
  );

  it('writes nothing while the inbox is away', async () => {
    const { stage, aRecord, claims, writer } = world();
    claims.trouble = () => {
      throw away();
    };
    await expect(stage.handle(await aRecord())).rejects.toMatchObject({ retryable: true });
    expect(writer.sent).toEqual([]);
  });
});
