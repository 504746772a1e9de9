import { randomBytes, randomUUID } from 'node:crypto';
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { eventually } from '@tributary/testing';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { servicePlans, untilReady } from '../../tools/start/services.js';
import { send } from './testing/raw-http.js';
import { patienceMs, System } from './testing/system.js';

const gatesIntegrations = join(import.meta.dirname, 'integrations/gates.yaml');
const apiKey = `gates-publisher.${randomBytes(24).toString('hex')}`;
let system: System;

beforeAll(async () => {
  system = await System.start({ E2E_GATES_API_KEY: apiKey });
  await system.environment.apply([gatesIntegrations]);
  await eventually(() => publish('crm.unheard.of'), { timeoutMs: patienceMs, what: 'ingress to know the API key' });
});
afterAll(() => system?.stop());
afterEach(async () => {
  // A fault that a failed test left behind would fail the next ones for no reason of theirs.
  for (const target of ['gates-throttled', 'gates-failing', 'slack', 'slack:CGATES1']) await system.fault(target, {});
});

async function publish(type: string): Promise<string> {
  const id = `ev-${randomUUID()}`;
  const event = { specversion: '1.0', id, source: '/gates', type, subject: `s-${id}`, data: { why: 'test' } };
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

interface Requests {
  readonly early: number;
  readonly log: ReadonlyArray<{ readonly atMs: number; readonly status: number; readonly key: string }>;
}

const requestsAt = async (target: string): Promise<Requests> =>
  (await (await fetch(`${system.environment.sandbox.url}/requests/${target}`)).json()) as Requests;

const untilRequests = (target: string, count: number): Promise<Requests> =>
  eventually(
    async () => {
      const requests = await requestsAt(target);
      expect(requests.log.length).toBeGreaterThanOrEqual(count);
      return requests;
    },
    { timeoutMs: patienceMs, what: `${count} requests at ${target}` },
  );

/** Messages of an event in Slack; its text is the event's id. */
const messagesOf = async (id: string) => (await system.effectsAt('slack')).filter(({ summary }) => summary === id);

const untilInSlack = (id: string) =>
  eventually(async () => expect(await messagesOf(id)).not.toEqual([]), {
    timeoutMs: patienceMs,
    what: `${id} in Slack`,
  });

interface GateView {
  readonly scope: string;
  readonly kind: string;
  readonly waitingLanes: number;
}

async function gatesOf(service: string): Promise<GateView[]> {
  const answer = await fetch(`${system.service(service).url}/debug/runtime`);
  return ((await answer.json()) as Array<{ gates: GateView[] }>).flatMap(({ gates }) => gates);
}

const settlementsOf = (id: string) =>
  system.query<{ attempt: number; outcome: string; error_code: string | null }>(
    "SELECT attempt, outcome, error_code FROM ledger.fact WHERE event_id = $1 AND action = 'settled'",
    [id],
  );

describe('a connection that is told to wait', () => {
  it.each([4, 12])(
    'for %i s is not asked earlier by any record, while another one of the destination flows',
    async (s) => {
      await system.fault('gates-throttled', { status: 429, retryAfter: s, count: 1 });
      const before = (await requestsAt('gates-throttled')).log.length;
      const ids = [await publish('crm.throttled.tested')];
      await untilRequests('gates-throttled', before + 1);
      for (let n = 0; n < 4; n++) ids.push(await publish('crm.throttled.tested'));
      const elsewhere = await publish('crm.other.tested');
      await system.untilDelivered('gates-other', elsewhere);
      expect((await requestsAt('gates-throttled')).log).toHaveLength(before + 1);
      for (const id of ids) await system.untilDelivered('gates-throttled', id);
      expect(await requestsAt('gates-throttled')).toMatchObject({ early: 0 });
      await system.expectProofCloses();
      for (const id of ids) expect(await settlementsOf(id)).toMatchObject([{ attempt: 1, outcome: 'delivered' }]);
    },
  );

  it('for one of its channels goes on with the other channel', async () => {
    await system.fault('slack:CGATES1', { status: 429, retryAfter: 4, count: 1 });
    const first = await publish('crm.channel-one.tested');
    await untilRequests('slack', 1);
    const second = await publish('crm.channel-one.tested');
    const elsewhere = await publish('crm.channel-two.tested');
    await untilInSlack(elsewhere);
    expect(await messagesOf(first)).toEqual([]);
    const scopes = (await gatesOf('connector-slack')).map(({ scope }) => scope);
    expect([...new Set(scopes)]).toEqual(['gates-slack›channel:CGATES1']);
    for (const id of [first, second]) await untilInSlack(id);
    expect(await requestsAt('slack')).toMatchObject({ early: 0 });
  });

  it('for more than a day is suspended with an end, and a person may end it before', async () => {
    await system.fault('gates-throttled', { status: 429, retryAfter: 90_000, count: 1 });
    const id = await publish('crm.throttled.tested');
    await eventually(
      async () => {
        const { stdout } = await system.tributary('connections');
        expect(stdout).toMatch(/^gates-throttled .*suspended until .*: asked to wait 90000000 ms/m);
      },
      { timeoutMs: patienceMs, what: 'the suspension' },
    );
    expect(await system.tributary('resume', 'gates-throttled', '--reason', 'they said so')).toMatchObject({ code: 0 });
    await system.untilDelivered('gates-throttled', id);
  });
});

describe('a connection with a rate', () => {
  it('is sent no more than that', async () => {
    const ids = await Promise.all(Array.from({ length: 5 }, () => publish('crm.slow.tested')));
    for (const id of ids) await system.untilDelivered('gates-slow', id);
    const times = (await requestsAt('gates-slow')).log.map(({ atMs }) => atMs);
    // Two a second: between the first and the fifth there are two seconds, less what one request was quicker than another.
    expect((times.at(-1) ?? 0) - (times[0] ?? 0)).toBeGreaterThanOrEqual(1_800);
  });
});

describe('a connection that fails', () => {
  it('is probed by one record at a time, less and less often, and flows again; who waited is charged nothing', async () => {
    await system.fault('gates-failing', { status: 500 });
    const tried = await Promise.all(Array.from({ length: 5 }, () => publish('crm.failing.tested')));
    await untilRequests('gates-failing', 5);
    const waited = await Promise.all(Array.from({ length: 10 }, () => publish('crm.failing.tested')));
    await eventually(
      async () => {
        const gates = await gatesOf('connector-http');
        expect(gates).toContainEqual(expect.objectContaining({ scope: 'gates-failing', kind: 'breaker' }));
      },
      { timeoutMs: patienceMs, what: 'the breaker to open' },
    );
    const elsewhere = await publish('crm.other.tested');
    await system.untilDelivered('gates-other', elsewhere);
    const { log } = await untilRequests('gates-failing', 8);
    const times = log.map(({ atMs }) => atMs);
    const gaps = [5, 6, 7].map((n) => (times[n] ?? 0) - (times[n - 1] ?? 0));
    expect(gaps[0]).toBeGreaterThanOrEqual(1_000);
    expect(gaps[1]).toBeGreaterThanOrEqual(2_000);
    expect(gaps[2]).toBeGreaterThanOrEqual(4_000);
    await system.fault('gates-failing', {});
    for (const id of [...tried, ...waited]) await system.untilDelivered('gates-failing', id);
    await system.expectProofCloses();
    const attempts = (await Promise.all(waited.map(settlementsOf))).flat().map(({ attempt }) => attempt);
    // Three probes failed, and each cost the record that made it an attempt.
    expect(attempts.reduce((sum, attempt) => sum + attempt - 1, 0)).toBeLessThanOrEqual(3);
  });
});

describe('a secret that is replaced', () => {
  it('is taken up by the delivery that is refused with the old one, without a suspension', async () => {
    const file = join(system.environment.stack.dataDir, `key-${randomUUID()}`);
    const [old, rotated] = [0, 1].map(() => `whsec_${randomBytes(32).toString('base64')}`) as [string, string];
    const demo = system.environment.secrets.DEMO_SIGNING_KEY;
    const rules = (signingSecrets: readonly string[]) =>
      fetch(`${system.environment.sandbox.url}/rules`, {
        method: 'PUT',
        headers: { 'content-type': 'application/json' },
        body: JSON.stringify({ signingSecrets }),
      });
    await writeFile(file, old);
    await rules([demo, old]);
    await system.applyText(`
connections:
  - id: gates-rotated
    tenant: gates
    destination: http
    settings: { url: "${system.environment.sandbox.url}/http/gates-rotated" }
    secrets: { signing: ["file:${file}"] }
subscriptions:
  - { id: gates-rotated, tenant: gates, events: [crm.rotated.tested], to: gates-rotated, operation: postEvent }
`);
    await eventually(async () => system.untilDelivered('gates-rotated', await publish('crm.rotated.tested')), {
      timeoutMs: patienceMs,
      what: 'the router to know the subscription',
    });
    await writeFile(file, rotated);
    await rules([demo, rotated]);
    const ids = await Promise.all(Array.from({ length: 5 }, () => publish('crm.rotated.tested')));
    for (const id of ids) await system.untilDelivered('gates-rotated', id);
    expect((await system.tributary('connections')).stdout).toMatch(/^gates-rotated .*active$/m);
    await rules([demo]);
  });
});

describe('a connector that is killed between a call and its commit, at Slack', () => {
  async function killedInTheCall(type: string): Promise<string> {
    await system.fault('slack', { answerAfterMs: 60_000, count: 1 });
    const id = await publish(type);
    await untilInSlack(id);
    const running = system.service('connector-slack');
    running.process.kill('SIGKILL');
    await running.process.exited;
    await system.fault('slack', {});
    const plan = servicePlans().find(({ name }) => name === 'connector-slack');
    if (!plan) throw new Error('there is no plan for connector-slack');
    const again = await system.environment.launcher.start(plan, Number(new URL(running.url).port));
    system.environment.services.set('connector-slack', again);
    await untilReady([again], patienceMs);
    return id;
  }

  it('posts nothing twice: it gives up what it does not know, and says so', async () => {
    const before = await publish('crm.channel-one.tested');
    await untilInSlack(before);
    const id = await killedInTheCall('crm.channel-one.tested');
    const [dead] = await eventually(
      async () => {
        const facts = await settlementsOf(id);
        expect(facts).toHaveLength(1);
        return facts;
      },
      { timeoutMs: patienceMs, what: 'the settlement' },
    );
    expect(dead).toMatchObject({ outcome: 'dead', error_code: 'IN_DOUBT' });
    expect(await messagesOf(id)).toHaveLength(1);
    expect(await messagesOf(before)).toHaveLength(1);
    const after = await publish('crm.channel-one.tested');
    await untilInSlack(after);
    const claims = await system.query<{ result: string; count: number }>(
      'SELECT result, count(*)::int AS count FROM delivery.claim GROUP BY result ORDER BY result',
    );
    expect(claims).toContainEqual({ result: 'dropped', count: 1 });
    expect(claims.find(({ result }) => result === 'delivered')?.count).toBeGreaterThanOrEqual(2);
    await system.expectProofCloses();
  });

  it('waits for a person where the connection says hold, and posts again when that person resumes it', async () => {
    const id = await killedInTheCall('crm.holding.tested');
    await eventually(
      async () =>
        expect((await system.tributary('connections')).stdout).toMatch(/^gates-holding .*suspended: .*cut off/m),
      { timeoutMs: patienceMs, what: 'the suspension' },
    );
    expect(await messagesOf(id)).toHaveLength(1);
    expect(await system.tributary('resume', 'gates-holding', '--reason', 'looked at it')).toMatchObject({ code: 0 });
    await eventually(async () => expect(await messagesOf(id)).toHaveLength(2), {
      timeoutMs: patienceMs,
      what: 'the second message',
    });
    await system.expectProofCloses();
  });
});
