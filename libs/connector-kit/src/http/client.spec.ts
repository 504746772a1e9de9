import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { deafUrl, type FaultServer, faultServer, neverReplying, replying } from '../contract/fault-server.js';
import { type ClosableHttpClient, type HttpClientOptions, httpClient } from './client.js';
import { egressGuard } from './egress-guard.js';

const guard = egressGuard(['127.0.0.1/32']);
let server: FaultServer;
const clients: ClosableHttpClient[] = [];

function clientWith(options: HttpClientOptions = {}): ClosableHttpClient {
  const client = httpClient({ guard, ...options });
  clients.push(client);
  return client;
}

beforeEach(async () => {
  server = await faultServer();
});
afterEach(async () => {
  await Promise.all(clients.splice(0).map((client) => client.close()));
  await server.close();
});

const get = (url = server.url) => ({ method: 'GET', url }) as const;

describe('the HTTP client', () => {
  it('gives status, headers in any case and body', async () => {
    server.respond(replying(418, '{"a":1}', { 'X-Kind': 'pot' }));
    const reply = await clientWith().send(get(`${server.url}/a/b?c=d`));
    if (reply.kind !== 'reply') throw new Error(reply.reason);
    expect(reply.status).toBe(418);
    expect(reply.header('x-KIND')).toBe('pot');
    expect(reply.header('absent')).toBeUndefined();
    expect(reply.json()).toEqual({ a: 1 });
    expect(server.received[0]).toMatchObject({
      method: 'GET',
      path: '/a/b?c=d',
      headers: { 'user-agent': 'tributary' },
    });
  });

  it('sends the very bytes it is given', async () => {
    const body = Buffer.from('{"name": "Žofia 🚀"}');
    await clientWith().send({ method: 'POST', url: server.url, body });
    expect(server.received[0]?.body).toBe(body.toString('utf8'));
    expect(server.received[0]?.headers['content-length']).toBe(String(body.length));
  });

  it('keeps connections for the requests that follow', async () => {
    const ports = new Set<number | undefined>();
    server.respond((_request, response) => {
      ports.add(response.socket?.remotePort);
      response.end();
    });
    const client = clientWith();
    for (let i = 0; i < 20; i++) await client.send(get());
    // The next request may start before the former connection is marked free, so two can take turns.
    expect(ports.size).toBeLessThanOrEqual(2);
  });

  it('never writes a request that waited for a connection until its time was up', async () => {
    const client = clientWith({ connectionsPerOrigin: 1 });
    const answers: (() => void)[] = [];
    server.respond((_request, response) => answers.push(() => response.end()));
    const first = client.send(get(`${server.url}/first`));
    await expect.poll(() => answers.length).toBe(1);
    const waited = await client.send({ ...get(`${server.url}/waited`), timeoutMs: 50 });
    expect(waited).toMatchObject({ kind: 'not-sent', code: 'TIMEOUT' });
    answers[0]?.();
    expect((await first).kind).toBe('reply');
    server.respond(replying(200));
    expect((await client.send(get(`${server.url}/third`))).kind).toBe('reply');
    expect(server.received.map(({ path }) => path)).toEqual(['/first', '/third']);
  });

  it('tells a written request without answer from one that was never sent', async () => {
    server.respond(neverReplying);
    expect(await clientWith().send({ ...get(), timeoutMs: 50 })).toMatchObject({ kind: 'unanswered', code: 'TIMEOUT' });
    expect(await clientWith().send(get(await deafUrl()))).toMatchObject({ kind: 'not-sent', code: 'ECONNREFUSED' });
  });

  it('keeps no more of a reply than it may', async () => {
    server.respond(replying(200, 'x'.repeat(5000)));
    const reply = await clientWith({ maxReplyBytes: 1000 }).send(get());
    expect(reply).toMatchObject({ kind: 'reply', status: 200, cut: 'too-large' });
    if (reply.kind === 'reply') expect(reply.body.length).toBeLessThanOrEqual(1000);
  });

  it('takes a reply that comes without end for cut when its time is up', async () => {
    server.respond((_request, response) => void response.writeHead(200).write('drop by drop'));
    const reply = await clientWith().send({ ...get(), timeoutMs: 100 });
    expect(reply).toMatchObject({ kind: 'reply', status: 200, cut: 'interrupted' });
  });

  it('checks the address a name resolves to when it connects', async () => {
    const client = httpClient({ guard: egressGuard() });
    clients.push(client);
    const url = server.url.replace('127.0.0.1', 'localhost');
    expect(await client.send(get(url))).toMatchObject({ kind: 'not-sent', code: 'EGRESS_REFUSED' });
    expect(await client.send(get(url.replace('http:', 'https:')))).toMatchObject({ code: 'EGRESS_REFUSED' });
    expect(server.received).toEqual([]);
  });

  it.each(['', 'nonsense', '/relative', 'ftp://127.0.0.1/', 'https://127.0.0.1.:99999/'])(
    'does not throw for the address %j',
    async (url) => {
      expect((await clientWith().send(get(url))).kind).toBe('not-sent');
    },
  );

  it.each([{ 'x-bad': 'a\r\nb: c' }, { 'bad name': 'x' }])('does not send the header %j', async (headers) => {
    expect((await clientWith().send({ ...get(), headers })).kind).toBe('not-sent');
    expect(server.received).toEqual([]);
  });
});
