import { randomBytes, randomUUID } from 'node:crypto';
import { join } from 'node:path';
import type { OpenItem, ProofReport } from '@tributary/proof';
import { eventually } from '@tributary/testing';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { send } from './testing/raw-http.js';
import { patienceMs, System } from './testing/system.js';

const apiKey = `gates-publisher.${randomBytes(24).toString('hex')}`;
let system: System;

beforeAll(async () => {
  system = await System.start({ E2E_GATES_API_KEY: apiKey });
  await system.environment.apply([join(import.meta.dirname, 'integrations/gates.yaml')]);
  await eventually(() => publish('crm.unheard.of', 'nobody'), {
    timeoutMs: patienceMs,
    what: 'ingress to know the key',
  });
});
afterAll(() => system?.stop());
afterEach(async () => {
  for (const target of ['gates-throttled', 'gates-failing', 'gates-other', 'gates-in-order'])
    await system.fault(target, {});
});

async function publish(type: string, subject: string): Promise<string> {
  const id = `ev-${randomUUID()}`;
  const event = { specversion: '1.0', id, source: '/proof', type, subject, data: { why: 'test' } };
  const reply = await send(`${system.ingressUrl}/v1/events`, {
    headers: [
      ['content-type', 'application/cloudevents+json'],
      ['authorization', `Bearer ${apiKey}`],
    ],
    body: JSON.stringify(event),
  });
  expect({ status: reply.status, body: reply.body }).toMatchObject({ status: 202 });
  return id;
}

/** What an operator would see. */
async function prove(...options: string[]): Promise<ProofReport> {
  const { stdout, stderr } = await system.tributary('prove', '--json', ...options);
  if (stdout === '') throw new Error(stderr);
  return JSON.parse(stdout) as ProofReport;
}

/** Proves until the delivery of the event is open for this cause; nothing is lost meanwhile. */
function untilOpen(eventId: string, cause: OpenItem['cause'], ...options: string[]): Promise<OpenItem> {
  return eventually(
    async () => {
      const [delivery] = await system.query<{ id: string }>(
        "SELECT deliveries -> 0 ->> 'deliveryId' AS id FROM ledger.fact WHERE event_id = $1 AND action = 'planned'",
        [eventId],
      );
      const report = await prove(...options);
      expect(report.findings).toEqual([]);
      const item = report.open.find(({ id }) => id === delivery?.id);
      expect(item).toMatchObject({ cause });
      return item as OpenItem;
    },
    { timeoutMs: patienceMs, what: `${eventId} to be open: ${cause}` },
  );
}

/** Runs what the proof says, with a reason. */
async function run(command: string): Promise<void> {
  const [, ...words] = command.replace('"<why>"', 'mended').split(' ');
  expect(await system.tributary(...words)).toMatchObject({ code: 0 });
}

describe('a proof while something is open', () => {
  it('names the suspended connection, and what it says to run ends it', async () => {
    await system.fault('gates-other', { status: 401 });
    const id = await publish('crm.other.tested', 'suspended');
    const item = await untilOpen(id, 'suspended');
    expect(item).toMatchObject({ connectionId: 'gates-other', tenant: 'gates', key: 'gates:suspended', until: null });
    expect(item.place).toMatch(/^delivery\.http\.v1(\.retry)?\/\d+\/\d+$/);
    await system.fault('gates-other', {});
    await run(item.command);
    await system.untilDelivered('gates-other', id);
    await system.expectProofCloses();
  });

  it('names the retry topic in which it waits, its next attempt, and who waits behind it', async () => {
    await system.fault('gates-failing', { status: 503 });
    const first = await publish('crm.failing.tested', 'retried');
    const item = await eventually(
      async () => {
        const open = await untilOpen(first, 'waits-for-retry');
        expect(open.place).toMatch(/^delivery\.http\.v1\.retry\//);
        return open;
      },
      { timeoutMs: patienceMs, what: 'the delivery in the retry topic' },
    );
    expect(item).toMatchObject({ why: expect.stringMatching(/tried again at .*attempt \d+ at .* was unavailable/) });
    expect(Date.parse(item.until ?? '')).toBeGreaterThan(Date.parse(item.since ?? ''));
    const second = await publish('crm.failing.tested', 'retried');
    const behind = await untilOpen(second, 'behind-key', '--tenant', 'gates');
    expect(behind.why).toMatch(/^delivery\.http\.v1\.retry\/\d+\/\d+ is before it/);
    await system.fault('gates-failing', {});
    await system.untilDelivered('gates-failing', second);
    await system.expectProofCloses();
  });

  it('names the gate that a service says is closed', async () => {
    await system.fault('gates-throttled', { status: 429, retryAfter: 12, count: 1 });
    const id = await publish('crm.throttled.tested', 'throttled');
    const item = await untilOpen(id, 'gate-closed', '--service', system.service('connector-http').url);
    expect(item.until).not.toBeNull();
    await system.untilDelivered('gates-throttled', id);
    await system.expectProofCloses();
  });

  it('names the dead letter that holds a key, and what it says to run lets the key go on', async () => {
    await system.fault('gates-in-order', { status: 422, count: 1 });
    const dead = await publish('crm.in-order.tested', 'held');
    const id = await publish('crm.in-order.tested', 'held');
    const item = await untilOpen(id, 'behind-dead-letter');
    expect(item.command).toMatch(/^tributary dlt redrive delivery\.http\.v1\.dlt\/\d+\/\d+ --reason/);
    await run(item.command);
    for (const one of [dead, id]) await system.untilDelivered('gates-in-order', one);
    await system.expectProofCloses();
  });

  it('of one event says what became of it, and goes on from what it remembers', async () => {
    const id = await publish('crm.other.tested', 'one');
    await system.untilDelivered('gates-other', id);
    await system.expectProofCloses();
    expect(await prove('--event', id)).toMatchObject({
      closes: true,
      event: id,
      destinations: [{ destination: 'http', planned: 1, delivered: 1 }],
    });
    const { closes, destinations, sources, domains } = await prove('--full');
    expect(await prove()).toMatchObject({ closes, destinations, sources, domains });
  });

  it('names the group that nobody runs', async () => {
    const { process: running } = system.service('connector-http');
    running.kill('SIGTERM');
    const id = await publish('crm.other.tested', 'unconsumed');
    const item = await untilOpen(id, 'no-consumer');
    expect(item).toMatchObject({ why: expect.stringContaining('connector-http has no members') });
  });
});
