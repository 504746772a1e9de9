import { avroType, type PlannedDelivery, type SkippedSubscription } from '@tributary/contracts';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { RouterStage } from './router-stage.js';
import { away, incoming, memoryWorld, Refused } from './testing/world.js';

const attributes = { ce_id: 'e1', ce_source: '/acme/in', ce_type: 'people.employee.onboarded', ce_tenant: 'acme' };
const slack: PlannedDelivery = {
  deliveryId: 'd1',
  subscriptionId: 's1',
  connectionId: 'out',
  destination: 'slack',
  operation: 'post',
};
const http: PlannedDelivery = {
  ...slack,
  deliveryId: 'd2',
  subscriptionId: 's2',
  connectionId: 'hook',
  destination: 'http',
};

function world(deliveries: PlannedDelivery[] = [slack, http], skipped: SkippedSubscription[] = [], needsData = false) {
  const { codec, writer, audit, audits, surroundings } = memoryWorld();
  const seen: unknown[] = [];
  const stage = new RouterStage({
    codec,
    writer,
    audit,
    subscriptions: {
      needsData: () => needsData,
      route: (event) => {
        seen.push(event.data);
        return { deliveries, skipped };
      },
    },
    surroundings,
    actor: 'router/1',
    onPlanned: () => undefined,
  });
  const delivered = () => writer.sent.filter(({ topic }) => topic.startsWith('delivery.'));
  return { codec, writer, audits, stage, seen, delivered };
}

const anEvent = (
  rawHeaders: Record<string, string | Buffer> = attributes,
  value: Buffer | null = Buffer.from('any bytes'),
) => incoming({ topic: 'events.people.v1', key: Buffer.from('acme:7'), rawHeaders, value });

describe('RouterStage', () => {
  it('passes bytes, key and headers on unchanged, whatever they are, and decodes nothing', async () => {
    const bytes = fc.uint8Array({ maxLength: 200 }).map((array) => Buffer.from(array));
    const name = fc
      .stringMatching(/^[a-z][a-z_-]{0,20}$/)
      .filter((text) => !text.startsWith('x-') && !text.startsWith('ce_'));
    await fc.assert(
      fc.asyncProperty(bytes, bytes, fc.dictionary(name, bytes), async (value, key, extra) => {
        const { stage, delivered, codec } = world();
        const rawHeaders = { ...extra, ...attributes };
        await stage.handle({ ...anEvent(rawHeaders, value), key });
        expect(delivered()).toHaveLength(2);
        for (const record of delivered()) {
          expect(record.value).toBe(value);
          expect(record.key).toBe(key);
          expect(record.headers).toMatchObject(rawHeaders);
          expect(Object.keys(record.headers ?? {})).toHaveLength(Object.keys(rawHeaders).length + 4);
        }
        expect(codec.decoded).toBe(0);
      }),
      { numRuns: 100 },
    );
  });

  it('says on each delivery what it is, and keeps an account in one partition', async () => {
    const { stage, delivered, audits } = world();
    expect(await stage.handle(anEvent())).toEqual({ to: 'commit' });
    expect(delivered()).toMatchObject([
      {
        topic: 'delivery.slack.v1',
        partitionBy: 'out',
        timestampMs: 5_000,
        headers: { 'x-delivery-id': 'd1', 'x-subscription-id': 's1', 'x-connection-id': 'out', 'x-operation': 'post' },
      },
      { topic: 'delivery.http.v1', partitionBy: 'hook' },
    ]);
    expect(await audits()).toMatchObject([{ action: 'planned', outcome: 'planned', deliveries: [slack, http] }]);
  });

  it('begins a story of its own for a delivery of an event that was redriven', async () => {
    const chain = {
      'x-origin-topic': 'a',
      'X-Redrive-Id': 'r',
      'x-error-class': 'b',
      'x-retry-attempt': '3',
      'x-delivery-id': 'old',
    };
    const { stage, delivered } = world([slack]);
    await stage.handle(anEvent({ ...attributes, ...chain }));
    expect(delivered()[0]?.headers).toEqual({
      ...attributes,
      'x-delivery-id': 'd1',
      'x-subscription-id': 's1',
      'x-connection-id': 'out',
      'x-operation': 'post',
    });
  });

  it('decodes where a filter looks into the data, and records whom it passed over and why', async () => {
    const skipped = [{ subscriptionId: 's1', reason: 'filter failed: no such key' }];
    const { stage, codec, seen, audits } = world([], skipped, true);
    const data = { type: 'x', data: '{"a":1}', occurredAt: null };
    const value = await codec.encode('', 'tributary.external.ExternalEvent', data);
    expect(await stage.handle(anEvent(attributes, value))).toEqual({ to: 'commit' });
    expect(seen).toEqual([expect.objectContaining(data)]);
    expect(await audits()).toMatchObject([{ outcome: 'unsubscribed', skipped }]);
    expect(avroType('tributary.external.ExternalEvent').isValid(data)).toBe(true);
  });

  it.each<[string, Record<string, string>, RegExp]>([
    ['no id', { ...attributes, ce_id: '' }, /ce_id is missing/],
    ['nothing', {}, /ce_id, ce_source, ce_type, ce_tenant is missing/],
    ['a tenant that is none', { ...attributes, ce_tenant: 'Acme/../other' }, /ce_tenant is not the id of a tenant/],
    ['an endless id', { ...attributes, ce_id: '世'.repeat(1_000) }, /more than 2000 bytes/],
  ])('dead-letters a record with %s in its headers', async (_, rawHeaders, reason) => {
    const { stage, audits, delivered } = world();
    const record = anEvent(rawHeaders);
    const settlement = await stage.handle(record);
    expect(settlement).toMatchObject({ to: 'deadLetter', failure: { code: 'attributes-missing', reason } });
    if (settlement.to === 'deadLetter') await stage.recordDeath(record, settlement.failure);
    expect(delivered()).toEqual([]);
    expect(await audits()).toMatchObject([{ action: 'planned', outcome: 'dead', eventId: null, originOffset: 0 }]);
  });

  it('dead-letters what a filter needs and nobody can read; waits while the registry is away', async () => {
    const { stage, codec } = world([slack], [], true);
    expect(await stage.handle(anEvent(attributes, null))).toMatchObject({ failure: { code: 'value-missing' } });
    expect(await stage.handle(anEvent())).toMatchObject({ to: 'deadLetter', failure: { code: 'INVALID_AVRO' } });
    codec.trouble = () => {
      throw new Refused('SCHEMA_NOT_FOUND');
    };
    expect(await stage.handle(anEvent())).toMatchObject({ to: 'deadLetter', failure: { code: 'SCHEMA_NOT_FOUND' } });
    codec.trouble = () => {
      throw away();
    };
    await expect(stage.handle(anEvent())).rejects.toMatchObject({ retryable: true });
  });

  it.each(['delivery.http.v1', 'audit.records.v1'])(
    'keeps the event uncommitted while %s cannot be written',
    async (topic) => {
      const { stage, writer } = world();
      writer.trouble = (record) => {
        if (record.topic === topic) throw away();
      };
      await expect(stage.handle(anEvent())).rejects.toMatchObject({ retryable: true });
    },
  );
});
