import { type Description, defineSource, type Translation, type Verification } from '@tributary/connector-kit';
import type { RawRecord } from '@tributary/contracts';
import type { ConnectionLookup } from '@tributary/control';
import { sha256Hex } from '@tributary/domain';
import { describe, expect, it } from 'vitest';
import type { Rejection } from './rejection-log.js';
import { away, memoryWorld } from './testing/world.js';
import { WebhookReceiver } from './webhook-receiver.js';

interface Wishes {
  readonly verification?: Verification;
  readonly description?: Description;
  readonly lookup?: 'unknown' | 'unusable';
  readonly internal?: boolean;
  readonly seal?: ((plain: string) => string) | undefined;
  readonly waitSeconds?: number;
}

const anEvent: Description = { kind: 'event', eventId: 'e1', eventType: 'hired', subject: '7:x' };

function world(wishes: Wishes = {}) {
  const { codec, writer } = memoryWorld();
  const shared = {
    slug: 'test',
    title: 'Test',
    summary: 'For tests.',
    settings: {},
    keptHeaders: ['x-kept', 'x-absent'],
    events: ['people.*.*'],
    promises: { ordering: 'none', deduplication: 'event-id', retries: 'never' },
    describe: () => wishes.description ?? anEvent,
    translate: (): Translation => ({ kind: 'ignored', reason: 'test' }),
  } as const;
  const definition = wishes.internal
    ? defineSource({ ...shared, kind: 'internal' })
    : defineSource({ ...shared, verify: () => wishes.verification ?? { kind: 'verified' } });
  const usable: ConnectionLookup<typeof definition> = {
    kind: 'usable',
    connection: { id: 'in', tenant: 'acme', definition, settings: {}, secrets: {} },
  };
  const rejections: Rejection[] = [];
  const charged: string[] = [];
  const receiver = new WebhookReceiver({
    find: () =>
      wishes.lookup === 'unknown'
        ? { kind: 'unknown' }
        : wishes.lookup === 'unusable'
          ? { kind: 'unusable', tenant: 'acme', reason: 'secret webhook: file is missing' }
          : usable,
    codec,
    writer,
    budget: {
      take: (id) => {
        charged.push(id);
        return wishes.waitSeconds;
      },
    },
    onRejection: (rejection) => rejections.push(rejection),
    seal: wishes.seal,
  });
  const receive = (body: Buffer | string = 'the body') =>
    receiver.receive('in', {
      method: 'POST',
      path: '/webhooks/in',
      headers: new Map([
        ['content-type', ['application/json']],
        ['x-kept', ['a', 'b']],
        ['authorization', ['Bearer hunter2']],
      ]),
      body: Buffer.from(body),
      receivedAtMs: 9_000,
    });
  const written = async () =>
    Promise.all(
      writer.sent.map(async ({ topic, key, value }) => ({
        topic,
        key,
        raw: (await codec.decode<RawRecord>(value as Buffer)).value,
      })),
    );
  return { receive, written, writer, codec, rejections, charged };
}

describe('WebhookReceiver', () => {
  it('answers 200 once the bytes are stored exactly, with the headers that are kept and no other', async () => {
    const { receive, written, rejections } = world();
    const body = Buffer.from([0, 255, 10, 13]);
    expect(await receive(body)).toMatchObject({ status: 200, source: 'test' });
    const [record] = await written();
    expect(record).toMatchObject({ topic: 'raw.test.v1', key: 'acme:in:7%3Ax' });
    expect(record?.raw).toMatchObject({
      sourceEventId: 'e1',
      sourceEventType: 'hired',
      tenant: 'acme',
      malformed: false,
    });
    expect(record?.raw.body).toEqual(body);
    expect(record?.raw.headers).toEqual({ 'x-kept': 'a, b' });
    expect(rejections).toEqual([]);
  });

  it.each<[string, Wishes, number, string]>([
    ['an unknown connection', { lookup: 'unknown' }, 404, 'connection-unknown'],
    ['a source that takes no webhooks', { internal: true }, 404, 'connection-unknown'],
    [
      'a wrong signature',
      { verification: { kind: 'refused', status: 401, code: 'signature-wrong', reason: 'no' } },
      401,
      'signature-wrong',
    ],
    [
      'a stale timestamp',
      { verification: { kind: 'refused', status: 400, code: 'stale', reason: 'old' } },
      400,
      'stale',
    ],
    [
      'what the source does not send',
      { description: { kind: 'refused', status: 400, code: 'type-missing', reason: 'no' } },
      400,
      'type-missing',
    ],
  ])('refuses %s, stores nothing and notes it', async (_, wishes, status, code) => {
    const { receive, written, rejections } = world(wishes);
    expect(await receive()).toMatchObject({ status, problem: { code } });
    expect(await written()).toEqual([]);
    expect(rejections).toMatchObject([{ connectionId: 'in', status, code, payloadDigest: sha256Hex('the body') }]);
  });

  it('says when to come back to a connection that is over its budget, and stores nothing', async () => {
    const { receive, written, rejections } = world({ waitSeconds: 3 });
    expect(await receive()).toMatchObject({ status: 429, headers: { 'retry-after': '3' }, problem: { code: 'rate' } });
    expect(await written()).toEqual([]);
    expect(rejections).toEqual([]);
  });

  it('keeps no budget of a connection that there is not', async () => {
    for (const wishes of [{ lookup: 'unknown' }, { internal: true }] as const) {
      const { receive, charged } = world({ ...wishes, waitSeconds: 3 });
      expect(await receive()).toMatchObject({ status: 404 });
      expect(charged).toEqual([]);
    }
    const { receive, charged } = world();
    await receive();
    expect(charged).toEqual(['in']);
  });

  it('keeps a signed body that nobody can read, marked, and answers 400', async () => {
    const { receive, written, rejections } = world({
      description: { kind: 'malformed', code: 'body-unreadable', reason: 'x' },
    });
    expect(await receive()).toMatchObject({ status: 400, problem: { code: 'body-unreadable' } });
    expect((await written())[0]?.raw).toMatchObject({ malformed: true, sourceEventId: sha256Hex('the body') });
    expect(rejections).toHaveLength(1);
  });

  it.each<[string, Wishes]>([
    ['an event', {}],
    ['a malformed body', { description: { kind: 'malformed', code: 'x', reason: 'x' } }],
    [
      'a handshake that is kept',
      { verification: { kind: 'handshake', answer: { status: 200 }, keep: { eventType: 'x', secretFields: [] } } },
    ],
  ])('answers 503 and when to come again while Kafka cannot take %s', async (_, wishes) => {
    const { receive, writer, rejections } = world(wishes);
    writer.trouble = () => {
      throw away();
    };
    expect(await receive('{}')).toMatchObject({
      status: 503,
      headers: { 'retry-after': '5' },
      problem: { code: 'unavailable' },
    });
    expect(rejections).toEqual([]);
  });

  it('answers 503 while the connection waits for a person, without saying what is wrong with it', async () => {
    const answer = await world({ lookup: 'unusable' }).receive();
    expect(answer.status).toBe(503);
    expect(JSON.stringify(answer)).not.toContain('file is missing');
  });

  describe('of a handshake', () => {
    const keep = { eventType: 'secret', secretFields: ['token'] };
    const verification: Verification = { kind: 'handshake', answer: { status: 202, body: 'hello' }, keep };

    it('answers as the source says and keeps nothing unless it says so', async () => {
      const { receive, written } = world({
        verification: { kind: 'handshake', answer: { status: 202, body: 'hello' } },
      });
      expect(await receive()).toEqual({ status: 202, body: 'hello', source: 'test' });
      expect(await written()).toEqual([]);
    });

    it('stores the secret that it brings only sealed', async () => {
      const { receive, written } = world({ verification, seal: (plain) => `enc:${plain.length}` });
      expect(await receive('{"token":"hunter2","other":1}')).toMatchObject({ status: 202 });
      const [record] = await written();
      expect(record?.raw.sourceEventType).toBe('handshake.secret');
      expect(JSON.parse(String(record?.raw.body))).toEqual({ token: 'enc:7', other: 1 });
    });

    it('is not taken by a service that cannot seal', async () => {
      const { receive, written } = world({ verification });
      expect(await receive('{"token":"hunter2"}')).toMatchObject({ status: 503 });
      expect(await written()).toEqual([]);
    });
  });
});
