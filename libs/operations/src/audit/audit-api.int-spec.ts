import type { ApiKey, AuditRecord } from '@tributary/contracts';
import { InfrastructureUnavailable, sha256Hex } from '@tributary/domain';
import { withDatabase } from '@tributary/testing';
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { eventsPerTenant, ledgerOfTwoTenants } from '../testing/ledger-of-two-tenants.js';
import { AuditApi } from './audit-api.js';
import { cursorOf } from './audit-cursor.js';
import type { AuditFact } from './audit-record-view.js';

const held = withDatabase();
let world: Awaited<ReturnType<typeof ledgerOfTwoTenants>>;
let api: AuditApi;
beforeAll(async () => {
  world = await ledgerOfTwoTenants(held.url);
  api = apiOn(world.reader);
});
afterAll(() => world?.database.close());

const secretOf = (id: string) => `${id}.0123456789abcdef`;
const aKey = (id: string, tenant: string, scopes: string[]): ApiKey => ({
  id,
  tenant,
  hash: sha256Hex(secretOf(id)),
  scopes,
  version: 1,
  updatedAt: 0,
  updatedBy: 'ada',
});
const keys = [
  aKey('acme', 'acme', ['audit:read']),
  aKey('globex', 'globex', ['publish', 'audit:read']),
  aKey('auditor', '', ['audit:read']),
  aKey('publisher', 'acme', ['publish']),
];

let told: AuditRecord[] = [];
beforeEach(() => {
  told = [];
});

const apiOn = (
  reader: ConstructorParameters<typeof AuditApi>[0]['reader'],
  take = () => undefined as number | undefined,
  tell: ConstructorParameters<typeof AuditApi>[0]['tell'] = async (record) => void told.push(record),
) =>
  new AuditApi({
    reader,
    apiKeyOf: (id) => keys.find((key) => key.id === id),
    budget: { take },
    tell,
    nowMs: () => 17,
  });

async function get(target: string, id = 'acme', method = 'GET') {
  const answer = await api.answer({ method, target, authorization: `Bearer ${secretOf(id)}` });
  return { ...answer, json: answer?.body ? JSON.parse(answer.body) : undefined };
}

const day = 'from=2026-01-15T00:00:00Z&to=2026-01-16T00:00:00Z';

const cursorAt = (recordedAtMs: number) => cursorOf({ recordedAtMs, partition: 0, offset: '0' }, {});

describe('the audit API', () => {
  it('takes a question mark for a part of what is asked', async () => {
    const { status, json } = await get('/v1/audit/records?event=e7?');
    expect({ status, records: json.records }).toEqual({ status: 200, records: [] });
  });

  it.each([
    ['/v1/audit/records', 2 * eventsPerTenant],
    ['/v1/audit/records?limit=1000', 2 * eventsPerTenant],
    [`/v1/audit/records?${day}&limit=1000`, 2 * eventsPerTenant],
    ['/v1/audit/records?event=e7', 2],
    ['/v1/audit/records?subject=person-1', 10],
    ['/v1/audit/records?actor=connector%2F1&outcome=dead', 6],
    ['/v1/audit/events/e7', 2],
    ['/v1/audit/events/d7', 2],
  ])('shows a tenant its own rows and no other: %s', async (target, count) => {
    for (const tenant of ['acme', 'globex']) {
      const { status, json } = await get(target, tenant);
      expect({ status, count: json.records.length }).toEqual({ status: 200, count });
      expect(new Set(json.records.map((fact: AuditFact) => fact.tenant))).toEqual(new Set([tenant]));
    }
  });

  it('sums up months, of the own tenant only', async () => {
    const target = '/v1/audit/summary?month=2026-01';
    for (const tenant of ['acme', 'globex'])
      expect((await get(target, tenant)).json).toMatchObject({ month: '2026-01', destinations: [{ tenant }] });
    expect((await get(target, 'auditor')).json.destinations).toHaveLength(2);
  });

  it('shows an auditor all of it', async () => {
    const { json } = await get(`/v1/audit/records?${day}&limit=1000`, 'auditor');
    expect(json.records).toHaveLength(4 * eventsPerTenant + 1);
    expect((await get('/v1/audit/events/e7', 'auditor')).json.records).toHaveLength(4);
    const one = (await get('/v1/audit/records?tenant=globex&limit=1000', 'auditor')).json.records;
    expect(new Set(one.map((fact: AuditFact) => fact.tenant))).toEqual(new Set(['globex']));
  });

  it("turns pages, and another tenant's cursor shows nothing of that tenant", async () => {
    const first = await get('/v1/audit/records?limit=40', 'globex');
    const second = await get(`/v1/audit/records?limit=40&cursor=${first.json.next}`, 'globex');
    expect([first.json.records.length, second.json.records.length, second.json.next]).toEqual([40, 20, null]);
    const other = await get(`/v1/audit/records?limit=40&cursor=${first.json.next}`, 'acme');
    expect(other.json.records.every((fact: AuditFact) => fact.tenant === 'acme')).toBe(true);
  });

  it.each<[string, string, number, RegExp]>([
    ['a tenant of somebody else', '/v1/audit/records?tenant=globex', 400, /tenant is that of the key/],
    ['the own tenant, which needs no saying', '/v1/audit/records?tenant=acme', 400, /tenant is that of the key/],
    ['an unknown filter', '/v1/audit/records?sql=1', 400, /sql is no filter/],
    ['a filter that every object has', '/v1/audit/records?__proto__=1', 400, /__proto__ is no filter/],
    ['a filter twice', '/v1/audit/records?event=a&event=b', 400, /event is there twice/],
    ['an empty filter', '/v1/audit/records?event=', 400, /event is empty/],
    ['a filter without end', `/v1/audit/records?event=${'x'.repeat(1_001)}`, 400, /longer than 1000/],
    ['a NUL', '/v1/audit/records?event=%00', 400, /no record has/],
    ['no number of rows', '/v1/audit/records?limit=ten', 400, /limit must be/],
    ['more rows than a page has', '/v1/audit/records?limit=1001', 400, /limit must be/],
    ['a negative number of rows', '/v1/audit/records?limit=-1', 400, /limit must be/],
    ['a time without a zone', '/v1/audit/records?from=2026-01-15T00:00:00', 400, /from is no time/],
    ['a month that there is not', '/v1/audit/records?from=2026-13-15T00:00:00Z', 400, /from is no time/],
    ['a day that its month does not have', '/v1/audit/records?from=2026-02-30T00:00:00Z', 400, /from is no time/],
    ['a time before all records', '/v1/audit/records?from=0000-01-01T00:00:00Z', 400, /from is no time/],
    ['a time after all records', '/v1/audit/records?to=9999-12-31T23:59:59-01:00', 400, /to is no time/],
    ['a zone whose + is a blank', '/v1/audit/records?from=2026-01-15T00:00:00+02:00', 400, /%2B/],
    ['a second question mark', '/v1/audit/records?event=e7?&sql=1', 400, /sql is no filter/],
    ['a cursor of no time', `/v1/audit/records?cursor=${cursorAt(8.64e15)}`, 400, /none of ours/],
    ['a cursor of before all records', `/v1/audit/records?cursor=${cursorAt(-1)}`, 400, /none of ours/],
    [
      'times the wrong way round',
      '/v1/audit/records?from=2026-01-16T00:00:00Z&to=2026-01-15T00:00:00Z',
      400,
      /before to/,
    ],
    ['a cursor that somebody made up', '/v1/audit/records?cursor=abc', 400, /none of ours/],
    ['an event that there is not', '/v1/audit/events/nothing', 404, /knows nothing/],
    ['an event of bad encoding', '/v1/audit/events/%E0%A4%A', 400, /percent-encoded/],
    ['a NUL as event', '/v1/audit/events/%00', 400, /no record has/],
    ['an event with a filter', '/v1/audit/events/e7?tenant=globex', 400, /tenant means nothing here/],
    ['no event', '/v1/audit/events/', 400, /empty/],
    ['a month that is SQL', "/v1/audit/summary?month=2026-01';--", 400, /no month/],
    ['no month', '/v1/audit/summary', 400, /no month/],
    ['another path', '/v1/audit/secrets', 404, /records, events/],
    ['a path out of it', '/v1/audit/records/../../state', 404, /records, events/],
    ['nothing in particular', '/v1/audit', 404, /records, events/],
  ])('answers %s with what is wrong', async (_, target, status, detail) => {
    const answer = await get(target);
    expect(answer).toMatchObject({ status, problem: { detail: expect.stringMatching(detail) } });
    expect(answer.body).toBeUndefined();
  });

  it.each<[string, string | undefined, number]>([
    ['no key', undefined, 401],
    ['another scheme', `Basic ${secretOf('acme')}`, 401],
    ['an unknown key', `Bearer ${secretOf('nobody')}`, 401],
    ['a wrong secret', 'Bearer acme.0123456789abcdeX', 401],
    ['the id alone', 'Bearer acme', 401],
    ['a key that may only publish', `Bearer ${secretOf('publisher')}`, 403],
  ])('does not answer %s', async (_, authorization, status) => {
    for (const target of [
      '/v1/audit/records',
      '/v1/audit/events/e7',
      '/v1/audit/summary?month=2026-01',
      '/v1/audit/x',
    ]) {
      const answer = await api.answer({ method: 'GET', target, authorization });
      expect(answer).toMatchObject({ status, problem: { code: expect.any(String) } });
    }
  });

  it.each(['POST', 'PUT', 'PATCH', 'DELETE', 'OPTIONS'])('cannot be written to: %s', async (method) => {
    expect(await get('/v1/audit/records', 'acme', method)).toMatchObject({
      status: 405,
      headers: { allow: 'GET, HEAD' },
    });
  });

  it('leaves other paths to others', async () => {
    expect(await api.answer({ method: 'GET', target: '/health/live', authorization: undefined })).toBeUndefined();
    expect(await api.answer({ method: 'GET', target: '/v1/auditor', authorization: undefined })).toBeUndefined();
  });

  it('says when to come back: to who asks too much, and while the database is away', async () => {
    const authorization = `Bearer ${secretOf('acme')}`;
    const target = '/v1/audit/records';
    const spent = apiOn(world.reader, () => 3);
    expect(await spent.answer({ method: 'GET', target, authorization })).toMatchObject({
      status: 429,
      headers: { 'retry-after': '3' },
    });
    const failing = (cause: Error) =>
      apiOn({ ...world.reader, find: () => Promise.reject(cause) } as never).answer({
        method: 'GET',
        target,
        authorization,
      });
    const away = new InfrastructureUnavailable('PostgreSQL', new Error('connection refused'));
    expect(await failing(away)).toMatchObject({ status: 503, headers: { 'retry-after': '5' } });
    const slow = new InfrastructureUnavailable('PostgreSQL', Object.assign(new Error('cancelled'), { code: '57014' }));
    expect(await failing(slow)).toMatchObject({ status: 400, problem: { code: 'question-too-wide' } });
    await expect(failing(new TypeError('ours'))).rejects.toThrow('ours');
  });
});

describe('a question about the audit trail', () => {
  it.each([
    ['/v1/audit/records?outcome=dead&limit=5', 'acme', 'audit:records', 'records?outcome=dead&limit=5'],
    ['/v1/audit/records?subject=person-1', 'acme', 'audit:records', 'records?subject=given'],
    ['/v1/audit/events/e7', 'globex', 'audit:events', 'events/e7'],
    ['/v1/audit/summary?month=2026-01', 'auditor', 'audit:summary', 'summary?month=2026-01'],
  ])('is on record: %s of %s', async (target, id, entity, question) => {
    expect((await get(target, id)).status).toBe(200);
    expect(told).toMatchObject([
      {
        action: 'read',
        actor: `api-key/${id}`,
        entity,
        tenant: id === 'auditor' ? null : id,
        details: { question },
        occurredAt: 17,
      },
    ]);
    expect(JSON.stringify(told)).not.toContain('person-1');
  });

  it('that is refused is not', async () => {
    for (const [target, id] of [
      ['/v1/audit/records?x=1', 'acme'],
      ['/v1/audit/records', 'publisher'],
      ['/v1/audit/events/nobody', 'acme'],
    ] as const)
      expect((await get(target, id)).status).toBeGreaterThanOrEqual(400);
    expect(told).toEqual([]);
  });

  it('that cannot be recorded is not answered', async () => {
    const failing = apiOn(world.reader, undefined, () => Promise.reject(new InfrastructureUnavailable('Kafka')));
    const authorization = `Bearer ${secretOf('acme')}`;
    const answer = await failing.answer({ method: 'GET', target: '/v1/audit/records', authorization });
    expect(answer).toMatchObject({ status: 503, headers: { 'retry-after': '5' }, problem: { code: 'unavailable' } });
    expect(answer).not.toHaveProperty('body');
  });
});
