import { parseEventType } from '@tributary/contracts';
import { describe, expect, it } from 'vitest';
import { acceptsType } from '../destination.js';
import { parseSettings, type SettingsOf, type SettingsShape } from '../settings.js';
import type { RawEvent, SourceConnection, SourceDefinition, Translation, WebhookRequest } from '../source.js';
import { recordProblems } from './canonical-record.js';
import type { Fixture } from './fixtures.js';
import { hostileBodies } from './hostile-bodies.js';

export interface SigningKey {
  readonly secret: string;
  readonly atMs: number;
}

export interface SourceSamples {
  readonly fixtures: readonly Fixture[];
  readonly settings?: Readonly<Record<string, unknown>>;
  /** Left out for internal sources, which no request reaches. */
  readonly signing?: {
    /** Two active secrets of the kind the vendor gives out. */
    readonly secrets: readonly [string, string];
    readonly otherSecret: string;
    /** The header the signature is in. */
    readonly header: string;
    /** Headers that go with a body, type and id headers included, made without the code under test. */
    sign(body: Buffer, key: SigningKey): Readonly<Record<string, string>>;
    /** The scheme has a signed timestamp. */
    readonly timestamped: boolean;
    /** The scheme lets the signature header hold several signatures by coming twice. */
    readonly list: boolean;
    readonly hex: boolean;
  };
}

const receivedAtMs = Date.UTC(2026, 0, 2, 3, 4, 5);

export function requestOf(
  body: Buffer | string,
  headers: Readonly<Record<string, string | readonly string[]>>,
  atMs = receivedAtMs,
): WebhookRequest {
  const list = Object.entries(headers).map(
    ([name, value]) => [name.toLowerCase(), typeof value === 'string' ? [value] : value] as const,
  );
  return { method: 'POST', path: '/webhooks/c1', headers: new Map(list), body: Buffer.from(body), receivedAtMs: atMs };
}

/** What every source must do. Call it once at the top of a source's spec. */
export function sourceContract<S extends SettingsShape>(source: SourceDefinition<S>, samples: SourceSamples): void {
  const settings = parsed(source, samples.settings ?? {});
  describe(`${source.slug} as a source`, () => {
    itHasTheShapeOfASource(source);
    itTranslatesItsFixtures(source, samples.fixtures, settings);
    itSurvivesHostileBodies(source, settings);
    if (samples.signing) itVerifies(source, settings, samples.fixtures, samples.signing);
    else itIsOutOfReach(source, settings);
  });
}

function parsed<S extends SettingsShape>(source: SourceDefinition<S>, raw: unknown): SettingsOf<S> {
  const result = parseSettings(source, raw);
  if (!result.ok) throw new Error(`settings of the samples: ${result.errors.join('; ')}`);
  return result.value;
}

const connectionOf = <S extends SettingsShape>(
  settings: SettingsOf<S>,
  webhook: readonly string[],
): SourceConnection<S> => ({ id: 'c1', tenant: 't1', settings, secrets: { webhook } });

function bodyOf(fixture: Fixture): Buffer {
  const { body, text } = fixture.input;
  return Buffer.from(typeof text === 'string' ? text : JSON.stringify(body));
}

const headersOf = (fixture: Fixture) => (fixture.input.headers ?? {}) as Readonly<Record<string, string>>;

function itHasTheShapeOfASource<S extends SettingsShape>(source: SourceDefinition<S>): void {
  it('says in prose what it is and what it promises', () => {
    expect(source.title).not.toBe('');
    expect(source.summary).toMatch(/\.$/);
    expect(source.promises.retries).not.toBe('');
    expect(source.events.length).toBeGreaterThan(0);
  });

  it('keeps headers in lower case and none that carries a credential', () => {
    for (const name of source.keptHeaders) {
      expect(name).toBe(name.toLowerCase());
      expect(name).not.toMatch(/signature|authorization|cookie|token|secret/);
    }
  });
}

function rawOf<S extends SettingsShape>(
  request: WebhookRequest,
  eventId: string,
  eventType: string,
  settings: SettingsOf<S>,
): RawEvent<S> {
  return {
    sourceEventId: eventId,
    sourceEventType: eventType,
    headers: {},
    contentType: request.headers.get('content-type')?.[0] ?? 'application/json',
    body: request.body,
    receivedAtMs: request.receivedAtMs,
    connection: 'c1',
    tenant: 't1',
    settings,
  };
}

function itTranslatesItsFixtures<S extends SettingsShape>(
  source: SourceDefinition<S>,
  fixtures: readonly Fixture[],
  settings: SettingsOf<S>,
): void {
  it.each(fixtures.map((fixture) => [fixture.name, fixture] as const))('%s', (_name, fixture) => {
    const request = requestOf(bodyOf(fixture), headersOf(fixture));
    const description = source.describe(request, connectionOf(settings, []));
    if (description.kind !== 'event') {
      expect({ description }).toEqual(fixture.output);
      return;
    }
    const raw = rawOf(request, description.eventId, description.eventType, settings);
    const translation = source.translate(raw);
    expect({ description, translation }).toEqual(fixture.output);
    expect(source.translate(raw)).toEqual(translation);
    expectCanonical(source, translation);
  });
}

function expectCanonical<S extends SettingsShape>(source: SourceDefinition<S>, translation: Translation): void {
  if (translation.kind !== 'events') return;
  for (const event of translation.events) {
    const parts = parseEventType(event.type);
    expect(parts, `${event.type} is not a canonical event type`).toBeDefined();
    expect(acceptsType(source.events, event.type), `${event.type} is not among the announced events`).toBe(true);
    expect(recordProblems(event.record ?? parts?.record ?? '', event.data)).toEqual([]);
    if (event.time !== undefined) expect(new Date(event.time).toISOString()).toBe(event.time);
  }
}

function itSurvivesHostileBodies<S extends SettingsShape>(source: SourceDefinition<S>, settings: SettingsOf<S>): void {
  it.each(hostileBodies)('gives a verdict on %s instead of throwing', (_name, body) => {
    for (const contentType of ['application/json', 'application/x-www-form-urlencoded']) {
      const request = requestOf(body, { 'content-type': contentType, 'x-github-event': 'issues', 'webhook-id': 'm1' });
      const description = source.describe(request, connectionOf(settings, []));
      expect(['event', 'malformed', 'refused']).toContain(description.kind);
      for (const type of ['issues.opened', 'employee.created', 'invoice.paid', '__proto__', 'constructor.name', '']) {
        const translation = source.translate(rawOf(request, 'e1', type, settings));
        expect(['events', 'ignored', 'invalid']).toContain(translation.kind);
        expectCanonical(source, translation);
      }
    }
  });

  it.each(hostileBodies.filter(([, , isUnreadable]) => isUnreadable))('calls %s malformed', (_name, body) => {
    const request = requestOf(body, { 'x-github-event': 'issues', 'webhook-id': 'm1' });
    expect(source.describe(request, connectionOf(settings, [])).kind).toBe('malformed');
  });
}

function itIsOutOfReach<S extends SettingsShape>(source: SourceDefinition<S>, settings: SettingsOf<S>): void {
  it('refuses every webhook request', () => {
    expect(source.kind).toBe('internal');
    const verdict = source.verify(requestOf('{}', {}), connectionOf(settings, ['s']));
    expect(verdict).toMatchObject({ kind: 'refused', status: 401 });
  });
}

function itVerifies<S extends SettingsShape>(
  source: SourceDefinition<S>,
  settings: SettingsOf<S>,
  fixtures: readonly Fixture[],
  signing: NonNullable<SourceSamples['signing']>,
): void {
  const [current, former] = signing.secrets;
  const body = bodyOf(fixtures[0] as Fixture);
  const signed = (secret = current, atMs = receivedAtMs) => signing.sign(body, { secret, atMs });
  const verdictOn = (
    headers: Readonly<Record<string, string | readonly string[]>>,
    bytes = body,
    secrets = [current],
  ) => source.verify(requestOf(bytes, headers), connectionOf(settings, secrets));
  const signature = () => signed()[signing.header] as string;
  const refusedWith = (status: 400 | 401) => ({ kind: 'refused', status });

  it('accepts what the vendor signs', () => {
    expect(verdictOn(signed())).toEqual({ kind: 'verified' });
  });

  it('accepts either of two active secrets, and no longer a removed one', () => {
    expect(verdictOn(signed(former), body, [current, former])).toEqual({ kind: 'verified' });
    expect(verdictOn(signed(current), body, [current, former])).toEqual({ kind: 'verified' });
    expect(verdictOn(signed(former), body, [current])).toMatchObject(refusedWith(401));
  });

  it('refuses everything when there is no secret, or an empty one', () => {
    expect(verdictOn(signed(), body, [])).toMatchObject(refusedWith(401));
    expect(verdictOn(signed(), body, [''])).toMatchObject(refusedWith(401));
  });

  it('refuses another secret, and bytes other than the signed ones', () => {
    expect(verdictOn(signed(signing.otherSecret))).toMatchObject(refusedWith(401));
    expect(verdictOn(signed(), Buffer.concat([body, Buffer.from(' ')]))).toMatchObject(refusedWith(401));
    expect(verdictOn(signed(), body.subarray(0, -1))).toMatchObject(refusedWith(401));
    expect(verdictOn(signed(), Buffer.alloc(0))).toMatchObject(refusedWith(401));
  });

  it.each([
    ['missing', undefined],
    ['empty', ''],
    ['blank', '   '],
    ['truncated', -5],
    ['a word', 'garbage'],
    ['too long', 'f'.repeat(100_000)],
    ['full of separators', ',=,'.repeat(1000)],
    ['control characters', '\u0000\u0001'],
  ] as const)('answers 401 when the signature is %s', (_name, change) => {
    const { [signing.header]: _, ...rest } = signed();
    const value = typeof change === 'number' ? signature().slice(0, change) : change;
    const headers = value === undefined ? rest : { ...rest, [signing.header]: value };
    expect(verdictOn(headers)).toMatchObject(refusedWith(401));
    expect(verdictOn(headers, Buffer.alloc(0))).toMatchObject(refusedWith(401));
  });

  it('answers 401 to a request without any header', () => {
    expect(verdictOn({}, Buffer.alloc(0))).toMatchObject(refusedWith(401));
  });

  it(`${signing.list ? 'takes' : 'refuses'} a signature header that comes twice`, () => {
    const verdict = verdictOn({ ...signed(), [signing.header]: [signature(), signature()] });
    expect(verdict).toMatchObject(signing.list ? { kind: 'verified' } : refusedWith(400));
  });

  if (signing.hex)
    it('takes upper-case hex of the right signature', () => {
      const upper = signature().replace(/[0-9a-f]{64}/g, (digits) => digits.toUpperCase());
      expect(verdictOn({ ...signed(), [signing.header]: upper })).toEqual({ kind: 'verified' });
    });

  if (signing.timestamped)
    it('keeps a window of 300 s both ways', () => {
      const verdictAt = (seconds: number) => verdictOn(signed(current, receivedAtMs + seconds * 1000));
      expect(verdictAt(-300)).toEqual({ kind: 'verified' });
      expect(verdictAt(300)).toEqual({ kind: 'verified' });
      expect(verdictAt(-301)).toMatchObject({ ...refusedWith(400), code: 'timestamp-stale' });
      expect(verdictAt(301)).toMatchObject({ ...refusedWith(400), code: 'timestamp-future' });
    });

  it('keeps a signed body that it cannot read', () => {
    for (const unreadable of [Buffer.alloc(0), Buffer.from([0xff, 0xfe, 0x00]), Buffer.from('{"a":')]) {
      const request = requestOf(unreadable, signing.sign(unreadable, { secret: current, atMs: receivedAtMs }));
      const connection = connectionOf(settings, [current]);
      expect(source.verify(request, connection)).toEqual({ kind: 'verified' });
      expect(source.describe(request, connection).kind).toBe('malformed');
    }
  });

  it('tells nothing of its secrets in a refusal', () => {
    const refusal = JSON.stringify(verdictOn(signed(signing.otherSecret)));
    expect(refusal).not.toContain(current);
    expect(refusal).not.toContain(signature());
  });
}
