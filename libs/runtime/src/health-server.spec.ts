import { connect } from 'node:net';
import { createMetrics } from '@tributary/telemetry';
import { describe, expect, it, onTestFinished } from 'vitest';
import { Health } from './health.js';
import { HealthServer } from './health-server.js';
import { aSnapshot } from './testing/a-snapshot.js';

const metrics = createMetrics('spec');

async function serving(whyNotReady: () => string[] = () => []) {
  const health = new Health({ whyNotReady, metrics, snapshot: () => [aSnapshot] });
  health.endStart();
  const server = await HealthServer.listen(health, '127.0.0.1', 0);
  onTestFinished(() => server.close());
  return { health, server, base: `http://127.0.0.1:${server.port}` };
}

/** Sends bytes as they are and gives back what comes until the other side closes. */
function raw(port: number, bytes: string): Promise<string> {
  return new Promise((resolve, reject) => {
    let answer = '';
    const socket = connect(port, '127.0.0.1', () => socket.end(bytes));
    socket.on('data', (chunk) => {
      answer += chunk.toString();
    });
    socket.on('close', () => resolve(answer));
    socket.on('error', reject);
  });
}

describe('the operational endpoints', () => {
  it('say live, ready, metrics and the live state', async () => {
    const { base } = await serving();
    const live = await fetch(`${base}/health/live`);
    expect([live.status, await live.json()]).toEqual([200, { status: 'live' }]);
    const ready = await fetch(`${base}/health/ready?verbose=1`);
    expect([ready.status, await ready.json()]).toEqual([200, { status: 'ready' }]);
    const scraped = await fetch(`${base}/metrics`);
    expect([scraped.status, scraped.headers.get('content-type')]).toEqual([200, 'text/plain; version=0.0.4']);
    expect(await (await fetch(`${base}/debug/runtime`)).json()).toMatchObject([{ group: 'connector-http' }]);
  });

  it('list what stands still, a page at a time', async () => {
    const { base } = await serving();
    const all = await fetch(`${base}/state`);
    expect(all.status).toBe(200);
    expect(await all.json()).toMatchObject({ keys: { total: 3 }, gates: { total: 1 }, pauses: { total: 1 } });
    const page = await fetch(`${base}/state?limit=1&offset=1`);
    expect(await page.json()).toMatchObject({ keys: { total: 3, nextOffset: 2, list: [{ state: 'gated' }] } });
  });

  it.each(['limit=0', 'limit=1001', 'limit=x', 'limit=1e9', 'offset=-1', 'offset=1.5', 'limit=', 'offset=%zz'])(
    'refuse a page of %s',
    async (query) => {
      const { base } = await serving();
      const answer = await fetch(`${base}/state?${query}`);
      expect([answer.status, await answer.json()]).toEqual([400, { reason: expect.stringMatching(/must be/) }]);
    },
  );

  it('say why the service is not ready, and stay live', async () => {
    const { base } = await serving(() => ['no partitions yet']);
    const ready = await fetch(`${base}/health/ready`);
    expect([ready.status, await ready.json()]).toEqual([503, { status: 'not ready', reasons: ['no partitions yet'] }]);
    expect((await fetch(`${base}/health/live`)).status).toBe(200);
  });

  it('send traffic elsewhere while the service stops', async () => {
    const { base, health } = await serving();
    health.beginShutdown();
    const ready = await fetch(`${base}/health/ready`);
    expect([ready.status, await ready.json()]).toEqual([503, { status: 'not ready', reasons: ['shutting down'] }]);
    expect((await fetch(`${base}/health/live`)).status).toBe(200);
  });

  it('send whoever asks for something else away for a moment while the service starts', async () => {
    const health = new Health({ whyNotReady: () => ['it starts'], metrics });
    const server = await HealthServer.listen(health, '127.0.0.1', 0);
    onTestFinished(() => server.close());
    const webhook = await fetch(`http://127.0.0.1:${server.port}/webhooks/acme`, { method: 'POST', body: '{}' });
    expect([webhook.status, webhook.headers.get('retry-after')]).toEqual([503, '2']);
    expect((await fetch(`http://127.0.0.1:${server.port}/health/live`)).status).toBe(200);
  });

  it('know nothing else', async () => {
    const { base } = await serving();
    expect((await fetch(`${base}/health`)).status).toBe(404);
    expect((await fetch(`${base}/health/live`, { method: 'POST' })).status).toBe(404);
    expect((await fetch(`${base}/health/live`, { method: 'HEAD' })).status).toBe(200);
  });

  it('answer 500 when a question about readiness fails, and go on', async () => {
    const { base } = await serving(() => {
      throw new Error('broken probe');
    });
    expect((await fetch(`${base}/health/ready`)).status).toBe(500);
    expect((await fetch(`${base}/health/live`)).status).toBe(200);
  });

  it.each(['//', '//[', 'http://', '*', '/%', '/health/live/../..', `/${'a'.repeat(5_000)}`])(
    'survive the target %j',
    async (target) => {
      const { base, server } = await serving();
      const answer = await raw(server.port, `GET ${target} HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n`);
      expect(answer).toMatch(/^HTTP\/1\.1 4\d\d /);
      expect((await fetch(`${base}/health/live`)).status).toBe(200);
    },
  );

  it('refuse a port that is taken', async () => {
    const { server, health } = await serving();
    await expect(HealthServer.listen(health, '127.0.0.1', server.port)).rejects.toMatchObject({ code: 'EADDRINUSE' });
  });
});
