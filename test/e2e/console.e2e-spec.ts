import { randomBytes } from 'node:crypto';
import { join } from 'node:path';
import { eventually } from '@tributary/testing';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { send } from './testing/raw-http.js';
import { patienceMs, System } from './testing/system.js';

const tenants = ['north', 'south'] as const;
const keyOf = Object.fromEntries(
  [...tenants, 'auditor'].map((id) => [id, `${id}.${randomBytes(24).toString('hex')}`]),
) as Record<(typeof tenants)[number] | 'auditor', string>;

let system: System;
beforeAll(async () => {
  system = await System.start({
    E2E_NORTH_KEY: keyOf.north,
    E2E_SOUTH_KEY: keyOf.south,
    E2E_AUDITOR_KEY: keyOf.auditor,
  });
  await system.environment.apply([join(import.meta.dirname, 'integrations/console.yaml')]);
  for (const tenant of tenants)
    await eventually(() => publish(tenant), { timeoutMs: patienceMs, what: 'ingress to know the API keys' });
});
afterAll(() => system?.stop());

const eventId = 'the-same-for-both';

async function publish(tenant: (typeof tenants)[number]): Promise<void> {
  const event = {
    specversion: '1.0',
    id: eventId,
    source: `/${tenant}`,
    type: 'crm.unheard.of',
    subject: 'person-1',
    data: { of: tenant },
  };
  const { status } = await send(`${system.ingressUrl}/v1/events`, {
    headers: [
      ['content-type', 'application/cloudevents+json'],
      ['authorization', `Bearer ${keyOf[tenant]}`],
    ],
    body: JSON.stringify(event),
  });
  expect(status).toBe(202);
}

async function ask(path: string, key: string | undefined, method = 'GET') {
  const reply = await fetch(`${system.service('console').url}${path}`, {
    method,
    ...(key && { headers: { authorization: `Bearer ${key}` } }),
  });
  return {
    status: reply.status,
    type: reply.headers.get('content-type'),
    body: (await reply.json()) as { records: { tenant: string; action: string }[]; detail?: string },
  };
}

const tenantsIn = ({ body }: Awaited<ReturnType<typeof ask>>) =>
  [...new Set(body.records.map(({ tenant }) => tenant))].sort();

describe('the console', () => {
  it('shows a tenant its own records on every endpoint, and an auditor those of all', async () => {
    const paths = [`/v1/audit/records?event=${eventId}`, `/v1/audit/events/${eventId}`];
    await eventually(
      async () => {
        const found = await ask(`/v1/audit/records?event=${eventId}&action=planned`, keyOf.auditor);
        if (found.body.records?.length !== 2) throw new Error(JSON.stringify(found));
      },
      { timeoutMs: patienceMs, what: 'both events to be in the ledger' },
    );
    for (const path of paths) {
      for (const tenant of tenants) expect(tenantsIn(await ask(path, keyOf[tenant]))).toEqual([tenant]);
      expect(tenantsIn(await ask(path, keyOf.auditor))).toEqual([...tenants]);
    }
    const bySubject = await ask('/v1/audit/records?subject=person-1', keyOf.north);
    expect(tenantsIn(bySubject)).toEqual(['north']);
    const month = new Date().toISOString().slice(0, 7);
    expect(await ask(`/v1/audit/summary?month=${month}`, keyOf.north)).toMatchObject({ status: 200 });
  });

  it.each([
    ['no key', '/v1/audit/records', undefined, 'GET', 401],
    ['another tenant', '/v1/audit/records?tenant=south', 'north', 'GET', 400],
    ['an endpoint that there is not', '/v1/audit/nothing', 'north', 'GET', 404],
    ['what writes', '/v1/audit/records', 'north', 'DELETE', 405],
    ['a path of nobody', '/nowhere', undefined, 'GET', 404],
  ] as const)('answers %s as application/problem+json', async (_, path, key, method, status) => {
    const reply = await ask(path, key && keyOf[key], method);
    expect(reply).toMatchObject({
      status,
      type: expect.stringMatching(/^application\/problem\+json/),
      body: { status },
    });
  });

  it('answers from the command line too', async () => {
    const found = await system.tributary('audit', 'find', '--event', eventId, '--tenant', 'south', '--json');
    expect(JSON.parse(found.stdout).map(({ tenant }: { tenant: string }) => tenant)).toContain('south');
    const csv = await system.tributary('audit', 'find', '--event', eventId, '--csv');
    const [head, ...rows] = csv.stdout.trim().split('\r\n');
    expect(head).toMatch(/^recordedAt,position,/);
    expect(rows.length).toBeGreaterThanOrEqual(4);
    const wrong = await system.tributary('audit', 'find', '--from', 'yesterday');
    expect(wrong).toMatchObject({ code: 1, stderr: expect.stringMatching(/from is no time/) });
  });
});
