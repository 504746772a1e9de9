import type { ApiKey, RawRecord } from '@tributary/contracts';
import { sha256Hex } from '@tributary/domain';
import { describe, expect, it } from 'vitest';
import { PublishReceiver, type PublishRequest } from './publish-receiver.js';
import type { Rejection } from './rejection-log.js';
import { away, memoryWorld } from './testing/world.js';

const secret = 'shop.0123456789abcdef';
const aKey: ApiKey = {
  id: 'shop',
  tenant: 'acme',
  hash: sha256Hex(secret),
  scopes: ['publish'],
  version: 1,
  updatedAt: 0,
  updatedBy: 'ada',
};
const anEvent = {
  specversion: '1.0',
  id: 'e1',
  source: '/shop',
  type: 'commerce.order.placed',
  subject: '7',
  data: { total: 5 },
};

const single = 'application/cloudevents+json';
const batch = 'application/cloudevents-batch+json';

function world(key: ApiKey = aKey, take: (id: string) => number | undefined = () => undefined) {
  const { codec, writer } = memoryWorld();
  const rejections: Rejection[] = [];
  const receiver = new PublishReceiver({
    apiKeyOf: (id) => (id === 'shop' ? key : undefined),
    codec,
    writer,
    budget: { take },
    onRejection: (rejection) => rejections.push(rejection),
  });
  const publish = (body: unknown, over: Partial<PublishRequest> = {}) =>
    receiver.receive({
      contentType: single,
      authorization: `Bearer ${secret}`,
      idempotencyKey: undefined,
      body: Buffer.from(typeof body === 'string' ? body : JSON.stringify(body)),
      receivedAtMs: 9_000,
      ...over,
    });
  const written = async () =>
    Promise.all(
      writer.sent.map(async ({ key, value }) => ({ key, raw: (await codec.decode<RawRecord>(value as Buffer)).value })),
    );
  return { publish, written, writer, rejections };
}

describe('PublishReceiver', () => {
  it('answers 202 with the id once the event is stored under the key of its tenant', async () => {
    const { publish, written } = world();
    const answer = await publish(anEvent);
    expect([answer.status, JSON.parse(answer.body ?? '')]).toEqual([202, { id: 'e1' }]);
    expect(await written()).toMatchObject([
      {
        key: 'acme:publish:7',
        raw: { tenant: 'acme', source: 'publish', sourceEventId: 'e1', headers: { 'ce-source': '/shop' } },
      },
    ]);
  });

  it('takes a missing id from Idempotency-Key, and prefers the id', async () => {
    const { publish } = world();
    const { id: _, ...without } = anEvent;
    expect((await publish(without, { idempotencyKey: 'k1' })).body).toBe('{"id":"k1"}');
    expect((await publish(anEvent, { idempotencyKey: 'k1' })).body).toBe('{"id":"e1"}');
  });

  it('takes a batch whole', async () => {
    const { publish, written } = world();
    const answer = await publish([anEvent, { ...anEvent, id: 'e2' }], { contentType: `${batch}; charset=utf-8` });
    expect([answer.status, answer.body]).toEqual([202, '{"ids":["e1","e2"]}']);
    expect(await written()).toHaveLength(2);
  });

  it.each<[string, string | undefined]>([
    ['no key', undefined],
    ['an empty one', ''],
    ['another scheme', `Basic ${secret}`],
    ['an unknown id', 'Bearer other.0123456789abcdef'],
    ['a wrong secret', 'Bearer shop.0123456789abcdeX'],
    ['a short secret', 'Bearer shop.x'],
    ['an id of every object', 'Bearer constructor.0123456789abcdef'],
    ['a key with a rest', `Bearer ${secret} x`],
  ])('answers 401 to %s', async (_, authorization) => {
    const { publish, written, rejections } = world();
    expect(await publish(anEvent, { authorization })).toMatchObject({ status: 401 });
    expect(await written()).toEqual([]);
    expect(rejections).toMatchObject([{ status: 401, code: 'api-key-wrong' }]);
  });

  it('answers 403 to a key that may not publish', async () => {
    expect(await world({ ...aKey, scopes: ['audit:read'] }).publish(anEvent)).toMatchObject({ status: 403 });
    expect(await world({ ...aKey, tenant: '' }).publish(anEvent)).toMatchObject({ status: 403 });
  });

  it('says when to come back to a key that is over its budget, and stores nothing', async () => {
    const { publish, written, rejections } = world(aKey, (id) => (id === 'shop' ? 3 : undefined));
    expect(await publish(anEvent)).toMatchObject({
      status: 429,
      headers: { 'retry-after': '3' },
      problem: { code: 'rate' },
    });
    expect(await written()).toEqual([]);
    expect(rejections).toEqual([]);
  });

  it('charges no budget for a key that was not shown', async () => {
    const charged: string[] = [];
    const { publish } = world(aKey, (id) => {
      charged.push(id);
      return undefined;
    });
    for (const authorization of [undefined, 'Bearer shop.0123456789abcdeX', 'Bearer shop'])
      expect(await publish(anEvent, { authorization })).toMatchObject({ status: 401 });
    expect(charged).toEqual([]);
    await publish(anEvent);
    expect(charged).toEqual(['shop']);
  });

  it.each(['', 'application/json', 'text/plain', `x${single}`])(
    'answers 415 to content type %j',
    async (contentType) => {
      expect(await world().publish(anEvent, { contentType })).toMatchObject({ status: 415 });
    },
  );

  it.each<[string, string, string]>([
    ['nothing', single, ''],
    ['no JSON', single, '{'],
    ['an array', single, '[]'],
    ['a batch that is an object', batch, '{}'],
    ['an empty batch', batch, '[]'],
    ['a batch of numbers', batch, '[1]'],
    ['a batch too large', batch, `[${'{},'.repeat(500)}{}]`],
    ['nesting without end', batch, '['.repeat(10_000)],
    ['text that closes the array', batch, `[${JSON.stringify(anEvent)}],"more":1`],
    ['text that brings an array of its own', batch, `1,"events":[${JSON.stringify(anEvent)}]`],
  ])('answers 400 to %s', async (_, contentType, body) => {
    const { publish, written } = world();
    expect(await publish(body, { contentType })).toMatchObject({ status: 400 });
    expect(await written()).toEqual([]);
  });

  it.each<[string, object, string]>([
    ['another version', { specversion: '0.3' }, '/specversion'],
    ['no id', { id: undefined }, '/id'],
    ['an id with a NUL', { id: 'a\0b' }, '/id'],
    ['an endless id', { id: 'x'.repeat(300) }, '/id'],
    ['no source', { source: '' }, '/source'],
    ['a source too long once it is encoded', { source: '世'.repeat(200) }, '/source'],
    ['a subject that is none', { subject: {} }, '/subject'],
    ['a time that is none', { time: 'yesterday' }, '/time'],
    ['a type of an unknown domain', { type: 'weather.rain.fell' }, '/type'],
    ['a type in a list', { type: ['commerce.order.placed'] }, '/type'],
    ['data that is no object where there is a schema', { type: 'people.employee.onboarded', data: 5 }, '/data'],
    [
      'a field that the schema does not know',
      { type: 'people.employee.onboarded', data: { nonsense: 1 } },
      '/data/nonsense',
    ],
  ])('answers 422 to %s, and points at it', async (_, over, at) => {
    const { publish, written } = world();
    const answer = await publish({ ...anEvent, ...over });
    expect(answer.status).toBe(422);
    expect(JSON.stringify(answer)).toContain(`"${at}`.replaceAll('"', answer.body ? '\\"' : '"'));
    expect(await written()).toEqual([]);
  });

  it('answers 503 while Kafka cannot take all of a batch', async () => {
    const { publish, writer } = world();
    writer.trouble = () => {
      if (writer.sent.length > 0) throw away();
    };
    const answer = await publish([anEvent, { ...anEvent, id: 'e2' }], { contentType: batch });
    expect(answer).toMatchObject({ status: 503, headers: { 'retry-after': '5' } });
  });
});
