import { randomUUID } from 'node:crypto';
import { connect } from 'node:net';
import { join } from 'node:path';
import { gzipSync } from 'node:zlib';
import { eventually } from '@tributary/testing';
import { callsFor, type SendFault } from '@tributary/vendor-simulator';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { demoIntegrations } from '../../tools/start/demo.js';
import { residentMiB } from '../../tools/start/services.js';
import { filesHolding as filesHoldingIn } from './testing/files-holding.js';
import { type RawReply, send } from './testing/raw-http.js';
import { patienceMs, System } from './testing/system.js';
import {
  aCall,
  type SignedCall,
  signedOver,
  testSecrets,
  type Vendor,
  vendors,
  withHeader,
  withoutHeader,
  withSignature,
} from './testing/vendors.js';

const ingressIntegrations = join(import.meta.dirname, 'integrations/ingress.yaml');

let system: System;
beforeAll(async () => {
  system = await System.start(testSecrets);
  await system.environment.apply([demoIntegrations, ingressIntegrations]);
  await eventually(async () => (await webhook('nobody-at-all', {})).status === 404 && (await isKnown('reader')), {
    timeoutMs: patienceMs,
    what: 'ingress to know what was applied',
  });
});
afterAll(() => system?.stop());

/** Files of Kafka and logs in which one of the texts can be read. Kafka's records are not compressed. */
const filesHolding = (texts: Readonly<Record<string, string>>): Promise<string[]> => {
  const { dataDir } = system.environment.stack;
  return filesHoldingIn(texts, [join(dataDir, 'data/kafka'), join(dataDir, 'logs')]);
};

/** Applied last, so the rest is known as well. */
async function isKnown(apiKeyId: string): Promise<boolean> {
  const key = apiKeyId === 'reader' ? testSecrets.E2E_READER_API_KEY : '';
  return (await publish('{}', { authorization: `Bearer ${key}` })).status === 403;
}

function webhook(connection: string, call: Partial<SignedCall>): Promise<RawReply> {
  return send(`${system.ingressUrl}/webhooks/${connection}`, call);
}

function publish(body: string | Buffer, headers: Readonly<Record<string, string>> = {}): Promise<RawReply> {
  const all = { authorization: `Bearer ${system.environment.secrets.DEMO_API_KEY}`, ...headers };
  const form = { 'content-type': 'application/cloudevents+json', ...all };
  return send(`${system.ingressUrl}/v1/events`, {
    headers: Object.entries(form).filter(([, value]) => value !== ''),
    body,
  });
}

/** Every refusal has one form, whatever was refused. */
function expectProblem(reply: RawReply, status: number): Record<string, unknown> {
  expect({ status: reply.status, body: reply.body }).toMatchObject({ status });
  expect(reply.headers['content-type']).toMatch(/^application\/problem\+json(; charset=utf-8)?$/);
  const problem = JSON.parse(reply.body) as Record<string, unknown>;
  expect(problem).toMatchObject({
    type: 'about:blank',
    title: expect.stringMatching(/\w/),
    status,
    code: expect.stringMatching(/^[a-z][a-z-]+$/),
    detail: expect.stringMatching(/\w/),
    correlationId: expect.stringMatching(/^[0-9a-f-]{32,36}$/),
  });
  expect(reply.headers['x-correlation-id']).toBe(problem.correlationId);
  expect(reply.body).not.toMatch(/node_modules|\.js:\d|\.ts:\d/);
  return problem;
}

function expectAnswer(reply: RawReply, status: number): void {
  if (status !== 200) expectProblem(reply, status);
  else expect({ status: reply.status, body: reply.body }).toEqual({ status, body: '' });
}

/** Faults of the simulator and their exact answers; a function where the scheme decides. */
const faultAnswers: Readonly<Record<SendFault, number | ((vendor: Vendor) => number)>> = {
  'wrong-secret': 401,
  'missing-signature': 401,
  'empty-signature': 401,
  'doubled-signature': ({ takesList }) => (takesList ? 200 : 400),
  'truncated-signature': 401,
  'altered-body': 401,
  'reserialised-body': 401,
  'truncated-body': 401,
  'empty-body': 401,
  stale: ({ isTimestamped }) => (isTimestamped ? 400 : 200),
  future: ({ isTimestamped }) => (isTimestamped ? 400 : 200),
  duplicate: 200,
  'missing-type': 400,
  'unreadable-body': 400,
  'non-utf8': 400,
  gzip: 415,
  oversized: 413,
};

type Row = readonly [name: string, make: (vendor: Vendor) => SignedCall, status: number];

const changed =
  (change: (value: string) => readonly string[]) =>
  (vendor: Vendor): SignedCall =>
    withSignature(vendor, aCall(vendor), change);

/** Letters of the hex digits only: `sha256=` and `v1=` stay as they are. */
const upperHex = (value: string): string => value.replaceAll(/[0-9a-f]{64}/g, (digits) => digits.toUpperCase());
const digits = /[A-Za-z0-9+/]{40,}=*/g;

const everywhere: readonly Row[] = [
  ['a right signature', (vendor) => aCall(vendor), 200],
  ['the former secret of a rotation', (vendor) => aCall(vendor, vendor.oldSecret), 200],
  [
    'application/json; charset=utf-8',
    (vendor) => withHeader(aCall(vendor), 'Content-Type', 'application/json; charset=utf-8'),
    200,
  ],
  ['no content type', (vendor) => withoutHeader(aCall(vendor), 'content-type'), 200],
  ['a content type that is none', (vendor) => withHeader(aCall(vendor), 'content-type', ';;=/'), 415],
  ['Content-Encoding: identity', (vendor) => withHeader(aCall(vendor), 'content-encoding', 'identity'), 200],
  ['header names in upper case', (vendor) => renamed(aCall(vendor), (name) => name.toUpperCase()), 200],
  ['header names in lower case', (vendor) => renamed(aCall(vendor), (name) => name.toLowerCase()), 200],
  ['a signature that cannot be decoded', changed((value) => [value.replace(digits, '~'.repeat(64))]), 401],
  ['a signature that is only its scheme', changed((value) => [value.replace(digits, '')]), 401],
  ['a signature that is too long', changed((value) => [value.replace(digits, `$&${'a'.repeat(5_000)}`)]), 401],
  ['a signature in Latin-1', changed(() => ['\u00e9\u00ff']), 401],
  ['an empty body, signed', (vendor) => signedOver(vendor, Buffer.alloc(0)), 400],
  ['an empty body, unsigned', () => ({ headers: [], body: Buffer.alloc(0), event: nothing }), 401],
  [
    'a body of 2 MB',
    (vendor) => signedOver(vendor, Buffer.from(`{"type":"x","pad":"${'x'.repeat(2 * 1024 * 1024)}"}`)),
    413,
  ],
  ['a body of text, signed', (vendor) => signedOver(vendor, Buffer.from('not json')), 400],
  ['a JSON array, signed', (vendor) => signedOver(vendor, Buffer.from('[]')), 400],
  ['JSON nested 100,000 deep, signed', (vendor) => signedOver(vendor, Buffer.from('{"a":'.repeat(100_000))), 400],
  [
    'JSON with __proto__ and no type',
    (vendor) => signedOver(vendor, Buffer.from('{"__proto__":{"type":"x","event_type":"x"}}'), ''),
    400,
  ],
  ['gzip without Content-Encoding, signed', (vendor) => signedOver(vendor, gzipSync('{}')), 400],
];
const nothing = { id: '', type: '', body: {} };

const renamed = (call: SignedCall, rename: (name: string) => string): SignedCall => ({
  ...call,
  headers: call.headers.map(([name, value]) => [rename(name), value]),
});

describe.each(vendors.map((vendor) => [vendor.source, vendor] as const))('webhooks of %s', (_name, vendor) => {
  it.each(everywhere)('%s', async (_row, make, status) => {
    expectAnswer(await webhook(vendor.connection, make(vendor)), status);
  });

  it.each(Object.entries(faultAnswers))('fault %s', async (fault, answer) => {
    const status = typeof answer === 'number' ? answer : answer(vendor);
    const event = vendor.sender.sample(0, `f${randomUUID().slice(0, 8)}`);
    const secrets = [vendor.newSecret];
    for (const call of callsFor(vendor.sender, event, { secrets, nowMs: Date.now(), fault: fault as SendFault })) {
      expectAnswer(await webhook(vendor.connection, call), status);
    }
  });

  it('delivers an event once, however often it is sent', async () => {
    const call = aCall(vendor);
    expectAnswer(await webhook(vendor.connection, call), 200);
    const again = await Promise.all(Array.from({ length: 8 }, () => webhook(vendor.connection, call)));
    for (const reply of again) expectAnswer(reply, 200);
    await system.untilDelivered('demo', call.event.id);
    await system.proof();
    expect(await system.effectsOf('demo', call.event.id)).toHaveLength(1);
  });

  it('keeps what is signed and unreadable byte for byte, as a dead letter', async () => {
    const body = Buffer.concat([
      Buffer.from(`{"event":"${randomUUID()}",`),
      Buffer.from([0, 1, 0xff, 0xfe, 0x0d, 0x0a]),
    ]);
    expectAnswer(await webhook(vendor.connection, signedOver(vendor, body)), 400);
    await eventually(
      async () => {
        const dead = await system.rawRecordsOf(`raw.${vendor.source}.v1.dlt`);
        const kept = dead.filter((raw) => raw.body.equals(body));
        expect(kept).toMatchObject([{ connection: vendor.connection, tenant: 'demo', malformed: true }]);
      },
      { timeoutMs: patienceMs, what: 'the body in the dead-letter topic' },
    );
  });
});

describe('what only some sources have', () => {
  it.each(vendors.filter(({ isHex }) => isHex).map((vendor) => [vendor.source, vendor] as const))(
    'takes upper-case hex of the right signature from %s',
    async (_name, vendor) => {
      const call = withSignature(vendor, aCall(vendor), (value) => [upperHex(value)]);
      expectAnswer(await webhook(vendor.connection, call), 200);
    },
  );

  const vendorOf = (source: string): Vendor => vendors.find((vendor) => vendor.source === source) as Vendor;

  it("answers 200 to GitHub's ping, and delivers nothing", async () => {
    const github = vendorOf('github');
    const body = Buffer.from('{"zen":"Keep it logically awesome.","hook_id":1}');
    const ping = signedOver(github, body, 'ping');
    expectAnswer(await webhook(github.connection, ping), 200);
    expect(await storyOf(ping.event.id)).toMatchObject([
      { outcome: 'filtered', reason: expect.stringMatching(/ping/) },
    ]);
  });

  it('answers 400 when GitHub does not say what happened', async () => {
    const github = vendorOf('github');
    const call = withoutHeader(aCall(github), 'x-github-event');
    expectProblem(await webhook(github.connection, call), 400);
  });

  it("takes a form of GitHub's with the event inside", async () => {
    const github = vendorOf('github');
    const { event, body } = aCall(github);
    const form = Buffer.from(new URLSearchParams({ payload: body.toString('utf8') }).toString());
    const headers = github.sender.headers({ event, body: form, secrets: [github.newSecret], atMs: Date.now() });
    const call = { event, body: form, headers: Object.entries(headers) };
    const sent = withHeader(call, 'content-type', 'application/x-www-form-urlencoded');
    expectAnswer(await webhook(github.connection, sent), 200);
    await system.untilDelivered('demo', event.id);
  });

  it('does not let one signature of a Standard Webhook stand for another id', async () => {
    const standard = vendorOf('standard-webhooks');
    const call = withHeader(aCall(standard), 'webhook-id', 'msg_other');
    expectProblem(await webhook(standard.connection, call), 401);
  });

  it('never lets the v0 signature of Stripe count', async () => {
    const stripe = vendorOf('stripe');
    const call = withSignature(stripe, aCall(stripe), (value) => [value.replace(/v0=[^,]*/, '').replace('v1=', 'v0=')]);
    expectProblem(await webhook(stripe.connection, call), 401);
  });
});

/** What the ledger says became of an event, once it says anything. */
function storyOf(eventId: string) {
  return eventually(
    async () => {
      const rows = await system.facts('SELECT * FROM ledger.fact WHERE event_id = $1 ORDER BY occurred_at', [eventId]);
      if (rows.length === 0) throw new Error('nothing yet');
      return rows;
    },
    { timeoutMs: patienceMs, what: `${eventId} in the ledger` },
  );
}

describe("Gusto's handshake", () => {
  const token = randomUUID();
  const handshake = {
    headers: [['content-type', 'application/json']] as const,
    body: `{"verification_token":"${token}"}`,
  };

  it.each([
    ['a connection that has its token', 'rotating-gusto', handshake, 401],
    [
      'a signed one',
      'pending-gusto',
      { ...handshake, headers: [['X-Gusto-Signature', 'ab'.repeat(32)]] as const },
      401,
    ],
    [
      'an event beside the token',
      'pending-gusto',
      { ...handshake, body: '{"verification_token":"x","event_type":"y"}' },
      401,
    ],
    ['an event without signature', 'pending-gusto', aCall(vendors[0] as Vendor), 401],
    ['no token', 'pending-gusto', { ...handshake, body: '{}' }, 401],
  ])('refuses %s', async (_name, connection, request, status) => {
    expectProblem(await send(`${system.ingressUrl}/webhooks/${connection}`, request), status);
  });

  it('keeps the token sealed, and a person gets it into the connection', async () => {
    expectAnswer(await send(`${system.ingressUrl}/webhooks/pending-gusto`, handshake), 200);
    const printed = await system.tributary('handshakes', 'gusto');
    expect(printed).toMatchObject({ code: 0, stderr: '' });
    const [, sealed = ''] = /^pending-gusto +\{"verification_token":"(enc:[\w-]+)"\}$/m.exec(printed.stdout) ?? [];
    expect(sealed).not.toBe('');
    expect(printed.stdout).not.toContain(token);
    expect(await filesHolding({ token })).toEqual([]);

    await system.applyText(
      `connections: [{ id: pending-gusto, tenant: demo, source: gusto, secrets: { webhook: ["${sealed}"] } }]`,
    );
    const gusto = vendors[0] as Vendor;
    const call = aCall(gusto, token);
    await eventually(async () => expectAnswer(await webhook('pending-gusto', call), 200), { timeoutMs: patienceMs });
    expectProblem(await send(`${system.ingressUrl}/webhooks/pending-gusto`, handshake), 401);
    await system.untilDelivered('demo', call.event.id);
  });
});

describe('whatever arrives', () => {
  const gusto = vendors[0] as Vendor;

  it.each([
    ['an unknown connection', '/webhooks/nobody', 404],
    ["a destination's id", '/webhooks/demo-http', 404],
    ['an id with a slash', '/webhooks/rotating-gusto%2f', 404],
    ['an id in upper case', '/webhooks/ROTATING-GUSTO', 404],
    ['an id that every object has', '/webhooks/__proto__', 404],
    ['an id with a zero byte', '/webhooks/a%00b', 404],
    ['an id with a line break', '/webhooks/a%0d%0aset-cookie:x', 404],
    ['an id that is no UTF-8', '/webhooks/%ff%fe', 400],
    ['half an escape', '/webhooks/%z', 400],
    ['an id of 5,000 characters', `/webhooks/${'a'.repeat(5_000)}`, 404],
    ['no id', '/webhooks/', 404],
    ['a path upwards', '/webhooks/../health/live', 404],
    ['a path that is not there', '/nowhere', 404],
  ])('%s is answered', async (_name, path, status) => {
    const { headers, body } = aCall(gusto);
    expectProblem(await send(`${system.ingressUrl}${path}`, { headers, body }), status);
  });

  it.each(['GET', 'PUT', 'DELETE', 'OPTIONS', 'PATCH'])('a %s of a webhook address is answered 404', async (method) => {
    expectProblem(await send(`${system.ingressUrl}/webhooks/rotating-gusto`, { method }), 404);
  });

  it('a connection whose secret is missing is answered 503, and only that', async () => {
    const reply = await webhook('secretless-stripe', aCall(vendors[1] as Vendor));
    expectProblem(reply, 503);
    expect(Number(reply.headers['retry-after'])).toBeGreaterThan(0);
    expect(reply.body).not.toContain('E2E_NOT_SET');
  });

  it.each([
    ['a request that is no HTTP', 'hello\r\n\r\n', 400],
    ['a length that is none', 'POST /webhooks/rotating-gusto HTTP/1.1\r\nhost: x\r\ncontent-length: -1\r\n\r\n', 400],
    [
      'a length and chunks at once',
      'POST /webhooks/rotating-gusto HTTP/1.1\r\nhost: x\r\ncontent-length: 5\r\ntransfer-encoding: chunked\r\n\r\n0\r\n\r\n',
      400,
    ],
    ['headers of 40 kB', `POST / HTTP/1.1\r\nhost: x\r\nx-pad: ${'a'.repeat(40_000)}\r\n\r\n`, 431],
  ])('%s is answered', async (_name, bytes, status) => {
    const answer = await speak(bytes);
    expect(answer).toMatch(new RegExp(`^HTTP/1\\.1 ${status} `));
    expect(answer).toMatch(/content-type: application\/problem\+json/);
  });

  it('a gzip bomb is not inflated', async () => {
    const member = gzipSync(Buffer.alloc(64 * 1024 * 1024));
    const bomb = Buffer.concat(Array.from({ length: Math.floor(1_000_000 / member.length) }, () => member));
    const call = withHeader(signedOver(gusto, bomb), 'content-encoding', 'gzip');
    const before = (await residentMiB(system.service('ingress'))) as number;
    const replies = await Promise.all(Array.from({ length: 8 }, () => webhook(gusto.connection, call)));
    for (const reply of replies) expectProblem(reply, 415);
    const after = (await residentMiB(system.service('ingress'))) as number;
    expect(after - before).toBeLessThan(64);
  });

  it('a sender that is slow, or leaves halfway, keeps nobody waiting', async () => {
    const call = aCall(gusto);
    const head = Buffer.from(
      [
        `POST /webhooks/${gusto.connection} HTTP/1.1`,
        `Host: x`,
        `Content-Length: ${call.body.length}`,
        ...call.headers.map(([name, value]) => `${name}: ${value}`),
        'Connection: close',
        '\r\n',
      ].join('\r\n'),
    );
    const slow = openSocket();
    const leaving = openSocket();
    slow.socket.write(Buffer.concat([head, call.body.subarray(0, 20)]));
    leaving.socket.write(Buffer.concat([head, call.body.subarray(0, 20)]));
    for (let n = 0; n < 5; n++) expectAnswer(await webhook(gusto.connection, aCall(gusto)), 200);
    leaving.socket.destroy();
    slow.socket.write(call.body.subarray(20));
    expect(await slow.answer).toMatch(/^HTTP\/1\.1 200 /);
    await system.untilDelivered('demo', call.event.id);
  });
});

function openSocket() {
  const socket = connect(Number(new URL(system.ingressUrl).port), '127.0.0.1');
  const answer = new Promise<string>((resolve, reject) => {
    let text = '';
    socket.setEncoding('latin1').on('data', (chunk: string) => {
      text += chunk;
    });
    socket.on('close', () => resolve(text));
    socket.on('error', (error) => (text ? resolve(text) : reject(error)));
  });
  // Read by those who wait for it; a sender that leaves by itself hears nothing.
  answer.catch(() => undefined);
  return { socket, answer };
}

async function speak(bytes: string): Promise<string> {
  const { socket, answer } = openSocket();
  socket.write(Buffer.from(bytes, 'latin1'));
  return answer;
}

describe('the publish API', () => {
  const lead = (more: object = {}) => ({
    specversion: '1.0',
    id: randomUUID(),
    source: '/crm/leads',
    type: 'crm.lead.scored',
    subject: 'lead-1',
    data: { score: 7 },
    ...more,
  });
  const json = (value: unknown): string => JSON.stringify(value);
  const batchForm = { 'content-type': 'application/cloudevents-batch+json' };
  const asOther = { authorization: `Bearer ${testSecrets.E2E_OTHER_API_KEY}` };

  it('takes one event, says its id, and delivers it', async () => {
    const event = lead({ time: '2026-01-02T03:04:05Z' });
    const reply = await publish(json(event));
    expect({ status: reply.status, body: reply.body }).toEqual({ status: 202, body: json({ id: event.id }) });
    expect(reply.headers['content-type']).toMatch(/^application\/json/);
    await system.untilDelivered('demo', event.id);
  });

  it('takes a batch, says the ids in its order, and delivers each once', async () => {
    const events = Array.from({ length: 20 }, () => lead());
    const twice = [...events, ...events];
    const reply = await publish(json(twice), batchForm);
    expect(reply.status).toBe(202);
    expect(JSON.parse(reply.body)).toEqual({ ids: twice.map(({ id }) => id) });
    for (const { id } of events) await system.untilDelivered('demo', id);
    await system.proof();
    for (const { id } of events) expect(await system.effectsOf('demo', id)).toHaveLength(1);
  });

  it('takes a missing id from Idempotency-Key, and an id before it', async () => {
    const key = randomUUID();
    const { id: _id, ...unnamed } = lead();
    for (let n = 0; n < 2; n++) {
      const reply = await publish(json(unnamed), { 'idempotency-key': key });
      expect({ status: reply.status, body: reply.body }).toEqual({ status: 202, body: json({ id: key }) });
    }
    const named = lead();
    expect((await publish(json(named), { 'idempotency-key': key })).body).toBe(json({ id: named.id }));
    await system.untilDelivered('demo', key);
    await system.untilDelivered('demo', named.id);
    await system.proof();
    expect(await system.effectsOf('demo', key)).toHaveLength(1);
  });

  it.each([
    ['no key', ''],
    ['another scheme', 'Basic ZGVtbzpkZW1v'],
    ['a key of nobody', `Bearer nobody.${'a'.repeat(48)}`],
    ['the id of a key with another secret', `Bearer demo-publisher.${'a'.repeat(48)}`],
    ['a key without secret', 'Bearer demo-publisher'],
    ['a key that is an object member', `Bearer constructor.${'a'.repeat(48)}`],
    ['a key of 10 kB', `Bearer demo-publisher.${'a'.repeat(10_000)}`],
  ])('answers 401 to %s', async (_name, authorization) => {
    expectProblem(await publish(json(lead()), { authorization }), 401);
  });

  it('answers 403 to a key that may not publish', async () => {
    const authorization = `Bearer ${testSecrets.E2E_READER_API_KEY}`;
    expectProblem(await publish(json(lead()), { authorization }), 403);
  });

  it.each([
    ['text', { 'content-type': 'text/plain' }],
    ['plain JSON without attributes', { 'content-type': 'application/json' }],
    ['no content type', { 'content-type': '' }],
    ['a form', { 'content-type': 'application/x-www-form-urlencoded' }],
    ['gzip', { 'content-encoding': 'gzip' }],
  ])('answers 415 to %s', async (_name, headers) => {
    expectProblem(await publish(json(lead()), headers), 415);
  });

  it('takes a content type with a charset, in any case', async () => {
    const headers = { 'content-type': 'Application/CloudEvents+JSON; charset=UTF-8' };
    expect((await publish(json(lead()), headers)).status).toBe(202);
  });

  it.each([
    ['nothing', '', {}],
    ['half an object', '{"id":', {}],
    ['an array where one event is meant', '[]', {}],
    ['bytes that are no UTF-8', Buffer.from([0x7b, 0xff, 0x7d]), {}],
    ['nesting without end', '{"data":'.repeat(10_000), {}],
    ['one event where a batch is meant', '{}', batchForm],
    ['an empty batch', '[]', batchForm],
    ['a batch of numbers', '[1]', batchForm],
    ['a batch that closes the wrapping', '[]},{"events":[]', batchForm],
    ['a batch of 501', json(Array.from({ length: 501 }, () => ({}))), batchForm],
  ])('answers 400 to %s', async (_name, body, headers) => {
    expectProblem(await publish(body, headers), 400);
  });

  it('answers 413 to 2 MB', async () => {
    expectProblem(await publish(json(lead({ data: 'x'.repeat(2 * 1024 * 1024) }))), 413);
  });

  const onboarded = { type: 'people.employee.onboarded', data: { employeeId: 'e-1' } };
  it.each([
    ['no id', lead({ id: undefined }), '/id'],
    ['an id that is a number', lead({ id: 7 }), '/id'],
    ['no source', lead({ source: '' }), '/source'],
    ['another version', lead({ specversion: '0.3' }), '/specversion'],
    ['a type of two parts', lead({ type: 'crm.lead' }), '/type'],
    ['a domain that there is not', lead({ type: 'weather.rain.fell' }), '/type'],
    ['a type that every object has', lead({ type: '__proto__.a.b' }), '/type'],
    ['a time that is none', lead({ time: 'yesterday' }), '/time'],
    ['a subject that is an object', lead({ subject: {} }), '/subject'],
    ['no data', lead({ ...onboarded, data: undefined }), '/data'],
    ['data of another kind', lead({ ...onboarded, data: [1] }), '/data'],
    ['a field of another kind', lead({ ...onboarded, data: { employeeId: 7 } }), '/data/employeeId'],
    [
      'a field that the schema does not know',
      lead({ ...onboarded, data: { employeeId: 'e', salary: 1 } }),
      '/data/salary',
    ],
  ])('answers 422 to %s, and points to it', async (_name, event, at) => {
    const one = expectProblem(await publish(json(event)), 422);
    expect(one.errors).toEqual([{ at, message: expect.stringMatching(/\w/) }]);
    const second = expectProblem(await publish(json([lead(), event]), batchForm), 422);
    expect(second.errors).toEqual([{ at: `/1${at}`, message: expect.stringMatching(/\w/) }]);
  });

  it('writes nothing of a batch in which one event is wrong', async () => {
    const [right, wrong] = [lead(), lead({ source: '' })];
    expectProblem(await publish(json([right, wrong]), batchForm), 422);
    const stored = await system.rawRecordsOf('raw.publish.v1');
    expect(stored.map(({ sourceEventId }) => sourceEventId)).not.toContain(right.id);
  });

  it('keeps tenants apart, whatever they write into their events', async () => {
    const event = lead({ source: '/demo/demo-gusto', tenant: 'demo', ce_tenant: 'demo' });
    expect((await publish(json(event))).status).toBe(202);
    expect((await publish(json(event), asOther)).status).toBe(202);
    await system.untilDelivered('demo', event.id);
    await system.untilDelivered('other', event.id);
    await system.proof();
    expect(await system.effectsOf('demo', event.id)).toHaveLength(1);
    expect(await system.effectsOf('other', event.id)).toHaveLength(1);
    const written = (await system.recordsOf('events.crm.v1')).filter(({ headers }) => headers.ce_id === event.id);
    expect(written.map(({ headers, key }) => [headers.ce_tenant, headers.ce_source, String(key)]).sort()).toEqual([
      ['demo', '/demo/publish/%2Fdemo%2Fdemo-gusto', 'demo:lead-1'],
      ['other', '/other/publish/%2Fdemo%2Fdemo-gusto', 'other:lead-1'],
    ]);
  });
});

describe('secrets', () => {
  it('are in no log and in no byte of Kafka', async () => {
    const secrets = { ...system.environment.secrets, ...testSecrets };
    expect(await filesHolding(secrets)).toEqual([]);
    // The search itself finds what is there.
    const found = await filesHolding({ id: 'rotating-gusto', event: 'service.started' });
    expect(found.some((file) => file.includes('/raw.gusto.v1-'))).toBe(true);
    expect(found.some((file) => file.includes('/logs/'))).toBe(true);
  });
});

// Last, because it stops the broker.
describe('without Kafka', () => {
  const gusto = vendors[0] as Vendor;
  const accepted: SignedCall[] = [];

  async function expectTakes(call: SignedCall): Promise<void> {
    await eventually(async () => expectAnswer(await webhook(gusto.connection, call), 200), {
      timeoutMs: patienceMs,
      what: 'ingress to take webhooks again',
    });
    accepted.push(call);
  }

  async function expectRefuses(call: SignedCall): Promise<void> {
    const startedAt = performance.now();
    const reply = await webhook(gusto.connection, call);
    console.log(`      503 after ${Math.round(performance.now() - startedAt)} ms`);
    expectProblem(reply, 503);
    expect(Number(reply.headers['retry-after'])).toBeGreaterThan(0);
  }

  /** A signal takes a moment to arrive. */
  async function untilRefused(): Promise<SignedCall> {
    for (;;) {
      const call = aCall(gusto);
      if ((await webhook(gusto.connection, call)).status === 503) return call;
      accepted.push(call);
    }
  }

  it('answers 503 while the broker hangs, and takes the same event afterwards', async () => {
    const kafka = system.environment.stack.processes.get('kafka');
    let during: SignedCall;
    kafka?.kill('SIGSTOP');
    try {
      during = await untilRefused();
      await expectRefuses(aCall(gusto));
      const refused = await publish(JSON.stringify({ ...leadLike, id: randomUUID() }));
      expectProblem(refused, 503);
      expect((await fetch(`${system.ingressUrl}/health/live`)).status).toBe(200);
    } finally {
      kafka?.kill('SIGCONT');
    }
    await expectTakes(during);
  });
  const leadLike = { specversion: '1.0', source: '/crm', type: 'crm.lead.scored', data: {} };

  it('answers 503 while the broker is dead, and recovers by itself when it is back', async () => {
    const before = aCall(gusto);
    await expectTakes(before);
    const kafka = system.environment.stack.processes.get('kafka');
    if (!kafka) throw new Error('the stack runs no Kafka');
    kafka.kill('SIGKILL');
    await kafka.exited;
    const during = aCall(gusto);
    await expectRefuses(during);
    await system.environment.stack.supervisor.spawn(kafka.spec);
    await expectTakes(during);
    for (let n = 0; n < 20; n++) await expectTakes(aCall(gusto));
  });

  it('has lost nothing that it took, and the proof closes', async () => {
    for (const { event } of accepted) await system.untilDelivered('demo', event.id);
    await system.expectProofCloses();
    for (const { event } of accepted) expect(await system.effectsOf('demo', event.id)).toHaveLength(1);
  });
});
