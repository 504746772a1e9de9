import type { CanonicalEvent, DeliveryOutcome } from '@tributary/domain';
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { type Attempted, type DeliveryRequest, deliver } from '../deliver.js';
import type { DestinationDefinition } from '../destination.js';
import { limitedPart, rateOf } from '../gate-scope.js';
import { type ClosableHttpClient, httpClient } from '../http/client.js';
import { egressGuard } from '../http/egress-guard.js';
import type { Mapping } from '../mapping/mapping.js';
import { checkSecrets, parseSettings, type Secrets, type SettingsShape } from '../settings.js';
import { deafUrl, type FaultServer, faultServer, losingTheReply, neverReplying, replying } from './fault-server.js';
import type { Fixture } from './fixtures.js';

export interface DestinationSamples {
  readonly fixtures: readonly Fixture[];
  /** Settings of a connection to a server at this address. */
  settingsFor(baseUrl: string): Readonly<Record<string, unknown>>;
  readonly secrets: Secrets;
  /** How the other side says yes. */
  readonly accepted: { readonly status: number; readonly body?: unknown };
  /** What a yes in the status means when the body cannot be read to its end. */
  readonly whenBodyIsLost: DeliveryOutcome['kind'];
}

const nowMs = Date.UTC(2026, 0, 2, 3, 4, 5);
const deliveryId = 'd'.repeat(64);

interface Bench {
  server: FaultServer;
  http: ClosableHttpClient;
}

/** What every destination must do. Call it once at the top of a destination's spec. */
export function destinationContract<S extends SettingsShape>(
  destination: DestinationDefinition<S>,
  samples: DestinationSamples,
): void {
  describe(`${destination.slug} as a destination`, () => {
    const bench = {} as Bench;
    beforeAll(async () => {
      bench.server = await faultServer();
      bench.http = httpClient({ guard: egressGuard(['127.0.0.1/32']) });
    });
    beforeEach(() => {
      bench.server.received.length = 0;
      bench.server.respond(replying(samples.accepted.status, samples.accepted.body));
    });
    afterAll(async () => {
      await bench.http.close();
      await bench.server.close();
    });
    const attempt = attemptWith(destination, samples, bench);
    itHasTheShapeOfADestination(destination, samples);
    itSendsItsFixtures(samples, bench, attempt);
    itReadsStatuses(bench, attempt);
    itTellsNotSentFromUnknown(destination, samples, bench, attempt);
    itIsSafe(samples, bench, attempt);
  });
}

interface Options {
  readonly fixture?: Fixture;
  readonly baseUrl?: string;
  readonly http?: ClosableHttpClient;
  readonly secrets?: Secrets;
  readonly timeoutMs?: number;
  readonly signal?: AbortSignal;
  readonly nowMs?: number;
  readonly mapping?: Mapping;
}
type Attempt = (options?: Options) => Promise<Attempted>;

function attemptWith<S extends SettingsShape>(
  destination: DestinationDefinition<S>,
  samples: DestinationSamples,
  bench: Bench,
): Attempt {
  return async (options = {}) => {
    const fixture = options.fixture ?? firstGood(samples.fixtures);
    const settings = parseSettings(destination, {
      ...samples.settingsFor(options.baseUrl ?? bench.server.url),
      ...(fixture.input.settings as object | undefined),
    });
    if (!settings.ok) throw new Error(settings.errors.join('; '));
    const mapping = options.mapping ?? (fixture.input.mapping as Mapping | undefined);
    const request: DeliveryRequest<S> = {
      event: fixture.input.event as CanonicalEvent,
      ...(mapping && { mapping }),
      connection: { id: 'c1', tenant: 't1', settings: settings.value, secrets: options.secrets ?? samples.secrets },
      deliveryId,
      attempt: 1,
      http: options.http ?? bench.http,
      nowMs: options.nowMs ?? nowMs,
      signal: options.signal ?? new AbortController().signal,
    };
    const limits = { ...destination.limits, timeoutMs: options.timeoutMs ?? destination.limits.timeoutMs };
    return deliver({ ...destination, limits }, String(fixture.input.operation), request);
  };
}

function firstGood(fixtures: readonly Fixture[]): Fixture {
  const good = fixtures.find(({ output }) => (output as { message?: unknown }).message !== undefined);
  if (!good) throw new Error('no fixture makes a message');
  return good;
}

function itHasTheShapeOfADestination<S extends SettingsShape>(
  destination: DestinationDefinition<S>,
  samples: DestinationSamples,
): void {
  it('says in prose what it is, and keeps its limits within reason', () => {
    expect(destination.title).not.toBe('');
    expect(destination.summary).toMatch(/\.$/);
    expect(destination.limits.maxInFlight).toBeGreaterThan(0);
    expect(destination.limits.timeoutMs).toBeLessThanOrEqual(60_000);
  });

  it('repeats after an unknown outcome only what the other side drops', () => {
    if (destination.promises.idempotency === 'none') expect(destination.unknownOutcome).not.toBe('retry');
    else expect(destination.unknownOutcome).toBe('retry');
  });

  it('says by what each operation is limited, and a part of the account is named for every delivery', () => {
    const settings = parseSettings(destination, samples.settingsFor('https://example.test'));
    if (!settings.ok) throw new Error(settings.errors.join('; '));
    for (const name of Object.keys(destination.operations)) {
      const scope = destination.operations[name]?.limits?.scope ?? destination.limits.scope ?? 'connection';
      const question = { operation: name, settings: settings.value, mapping: undefined, key: 't1:s1' };
      const part = limitedPart(destination, question);
      if (scope === 'connection') expect(part).toBeUndefined();
      else expect(part).toMatch(/^[a-z-]+:./);
      // What the event alone tells is not known of a record that waits: then the whole account is meant.
      if (typeof scope === 'object') {
        expect(limitedPart(destination, { ...question, mapping: { [scope.namedBy]: 'data.x' } })).toBeUndefined();
      }
      const rate = rateOf(destination, name);
      if (rate) expect(rate.burst / rate.perSecond).toBeLessThanOrEqual(60);
    }
  });

  it('takes the sample secrets, and names one that is missing or empty', () => {
    expect(checkSecrets(destination, samples.secrets)).toEqual([]);
    for (const name of Object.keys(destination.secrets)) {
      expect(checkSecrets(destination, { ...samples.secrets, [name]: [''] }).join()).toContain(`secrets.${name}`);
      expect(checkSecrets(destination, {}).join()).toContain(`secrets.${name} is missing`);
    }
  });
}

function itSendsItsFixtures(samples: DestinationSamples, bench: Bench, attempt: Attempt): void {
  it.each(samples.fixtures.map((fixture) => [fixture.name, fixture] as const))('%s', async (_name, fixture) => {
    const attempted = await attempt({ fixture });
    const expected = fixture.output as { message?: unknown; code?: string };
    if (expected.message === undefined) {
      expect(attempted).toMatchObject({ stage: 'translate', outcome: { kind: 'rejected', code: expected.code } });
      expect(attempted).toMatchObject({ failure: { errorClass: 'invalid', stage: 'translate' } });
      expect(bench.server.received).toEqual([]);
      return;
    }
    expect(attempted).toMatchObject({ stage: 'send', outcome: { kind: 'delivered' } });
    expect(bench.server.received).toHaveLength(1);
    expect(JSON.parse(bench.server.received[0]?.body ?? '')).toEqual(expected.message);
  });

  it('sends the same bytes on every attempt', async () => {
    await attempt();
    await attempt({ nowMs: nowMs + 3_600_000 });
    const [first, second] = bench.server.received;
    expect(second?.body).toBe(first?.body);
  });
}

function itReadsStatuses(bench: Bench, attempt: Attempt): void {
  it.each([
    [401, {}, { kind: 'unauthorized', code: '401' }],
    [400, {}, { kind: 'rejected', code: '400' }],
    [404, {}, { kind: 'rejected', code: '404' }],
    [409, {}, { kind: 'rejected', code: '409' }],
    [422, {}, { kind: 'rejected', code: '422' }],
    [408, {}, { kind: 'unavailable', code: '408' }],
    [425, {}, { kind: 'unavailable', code: '425' }],
    [500, {}, { kind: 'unavailable', code: '500' }],
    [502, {}, { kind: 'unavailable', code: '502' }],
    [503, {}, { kind: 'unavailable', code: '503' }],
    [504, {}, { kind: 'unavailable', code: '504' }],
    [429, { 'retry-after': '7' }, { kind: 'throttled', retryAfterMs: 7000 }],
    [429, { 'retry-after': '0.25' }, { kind: 'throttled', retryAfterMs: 250 }],
    [429, { 'retry-after': 'Fri, 02 Jan 2026 03:04:35 GMT' }, { kind: 'throttled', retryAfterMs: 30_000 }],
    [429, {}, { kind: 'throttled' }],
    [429, { 'retry-after': 'soon' }, { kind: 'throttled' }],
    [503, { 'retry-after': '2' }, { kind: 'throttled', retryAfterMs: 2000 }],
    [429, { 'retry-after': '0' }, { kind: 'throttled', retryAfterMs: 1000 }],
    [429, { 'retry-after': '172800' }, { kind: 'throttled', retryAfterMs: 172_800_000 }],
    [429, { 'x-ratelimit-remaining': '0', 'x-ratelimit-reset': '4' }, { kind: 'throttled', retryAfterMs: 4000 }],
  ] as const)('reads %i with %j', async (status, headers, outcome) => {
    bench.server.respond(replying(status, 'no', headers));
    expect((await attempt()).outcome).toMatchObject(outcome);
  });

  it('reads what an answer says about the budget that is left', async () => {
    bench.server.respond(replying(500, 'no', { 'x-ratelimit-remaining': '3', 'x-ratelimit-reset': '10' }));
    expect(await attempt()).toMatchObject({ budget: { remaining: 3, resetMs: nowMs + 10_000 } });
    bench.server.respond(replying(500, 'no', { 'x-ratelimit-remaining': 'many', 'x-ratelimit-reset': '\u00e9' }));
    expect(await attempt()).not.toHaveProperty('budget');
  });

  it.each([301, 302, 303, 307, 308])('does not follow a redirect by %i', async (status) => {
    bench.server.respond(replying(status, '', { location: `${bench.server.url}/elsewhere` }));
    expect((await attempt()).outcome).toMatchObject({ kind: 'rejected', code: String(status) });
    expect(bench.server.received).toHaveLength(1);
  });
}

function itTellsNotSentFromUnknown<S extends SettingsShape>(
  destination: DestinationDefinition<S>,
  samples: DestinationSamples,
  bench: Bench,
  attempt: Attempt,
): void {
  it('calls a refused connection unavailable: nothing was sent', async () => {
    const { outcome } = await attempt({ baseUrl: await deafUrl() });
    expect(outcome).toMatchObject({ kind: 'unavailable', code: 'ECONNREFUSED' });
  });

  it('calls a failed TLS handshake unavailable: nothing was sent', async () => {
    const { outcome } = await attempt({ baseUrl: bench.server.url.replace('http:', 'https:') });
    expect(outcome.kind).toBe('unavailable');
    expect(bench.server.received).toEqual([]);
  });

  it('does not connect to a private address that is not on the allow-list', async () => {
    const guarded = httpClient();
    const { outcome } = await attempt({ http: guarded });
    expect(outcome).toMatchObject({ kind: 'unavailable', code: 'EGRESS_REFUSED' });
    expect(bench.server.received).toEqual([]);
    await guarded.close();
  });

  it('calls a reply lost after the request was written unknown', async () => {
    bench.server.respond(losingTheReply);
    expect((await attempt()).outcome.kind).toBe('unknown');
    expect(bench.server.received).toHaveLength(1);
  });

  it('calls a reply that does not come in time unknown', async () => {
    bench.server.respond(neverReplying);
    expect((await attempt({ timeoutMs: 100 })).outcome).toMatchObject({ kind: 'unknown' });
  });

  it('ends when it is called off', async () => {
    const controller = new AbortController();
    bench.server.respond(() => controller.abort());
    expect((await attempt({ signal: controller.signal })).outcome).toMatchObject({ kind: 'unknown', code: 'ABORTED' });
  });

  it('sends nothing when it is called off before it starts', async () => {
    const { outcome } = await attempt({ signal: AbortSignal.abort() });
    expect(outcome).toMatchObject({ kind: 'unavailable', code: 'ABORTED' });
    expect(bench.server.received).toEqual([]);
  });

  it('gives a verdict on a reply that is too large, and on one that breaks off', async () => {
    const { status } = samples.accepted;
    bench.server.respond(replying(status, 'x'.repeat(3 * 1024 * 1024)));
    expect((await attempt()).outcome.kind).toBe(samples.whenBodyIsLost);
    bench.server.respond((_request, response) => {
      response.writeHead(status, { 'content-length': '1000' });
      response.write('{"ok":', () => response.destroy());
    });
    expect((await attempt()).outcome.kind).toBe(samples.whenBodyIsLost);
    bench.server.respond(replying(400, 'x'.repeat(3 * 1024 * 1024)));
    expect((await attempt()).outcome.kind).toBe('rejected');
  });

  it.each([
    ['no HTTP at all', 'SSH-2.0-OpenSSH_9.6\r\n'],
    ['a broken header', 'HTTP/1.1 200 OK\r\nno colon\r\n\r\n'],
    ['an endless status line', `HTTP/1.1 200 ${'x'.repeat(100_000)}\r\n\r\n`],
  ])('gives a verdict on %s', async (_name, bytes) => {
    bench.server.respond((_request, response) => response.socket?.end(bytes));
    const { outcome } = await attempt();
    expect(['unknown', samples.whenBodyIsLost]).toContain(outcome.kind);
  });

  it(`handles ${destination.slug}'s own silence: an empty body after yes`, async () => {
    bench.server.respond(replying(samples.accepted.status));
    expect((await attempt()).outcome.kind).toBe(samples.whenBodyIsLost);
  });
}

function itIsSafe(samples: DestinationSamples, bench: Bench, attempt: Attempt): void {
  it('tells no secret, even when the other side echoes all it got', async () => {
    const values = Object.values(samples.secrets).flat();
    for (const status of [400, 401, 500]) {
      bench.server.respond((request, response) => {
        const echo = `${JSON.stringify(request)} ${values.join(' ')} ${values.map(encodeURIComponent).join(' ')}`;
        // The secrets first, where an excerpt would show them.
        response.writeHead(status).end(`${values.join(' ')} ${echo}`);
      });
      const said = JSON.stringify(await attempt());
      for (const value of values) expect(said).not.toContain(value);
    }
  });

  it('keeps control characters of the other side out of its reasons', async () => {
    bench.server.respond(replying(400, 'line one\r\nfake=log\u001b[31m'));
    expect(JSON.stringify((await attempt()).outcome)).not.toMatch(/\\[rn]|\\u00/);
  });

  it('asks for a person when it has no secret', async () => {
    expect((await attempt({ secrets: {} })).outcome.kind).toBe('unauthorized');
    expect(bench.server.received).toEqual([]);
  });

  it('sends nothing when the mapping fails', async () => {
    const attempted = await attempt({ mapping: { text: '$sum("x")', type: '$sum("x")' } });
    expect(attempted).toMatchObject({ stage: 'translate', outcome: { kind: 'rejected', code: 'MAPPING_FAILED' } });
    expect(bench.server.received).toEqual([]);
  });
}
