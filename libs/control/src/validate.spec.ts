import { defineSource, secret, text } from '@tributary/connector-kit';
import { describe, expect, it } from 'vitest';
import { aDestination } from '../../connector-kit/src/testing/a-destination.js';
import type { ConnectionSpec, Integrations, SubscriptionSpec } from './integration-file.js';
import { type Definitions, type KnownConnection, validateIntegrations } from './validate.js';

const gusto = defineSource({
  slug: 'gusto',
  title: 'Gusto',
  summary: 'For tests.',
  settings: {},
  secrets: { webhook: secret('The token.') },
  keptHeaders: [],
  events: ['people.*.*'],
  promises: { ordering: 'none', deduplication: 'event-id', retries: 'never' },
  verify: () => ({ kind: 'verified' }),
  describe: () => ({ kind: 'event', eventId: '1', eventType: 'x', subject: '1' }),
  translate: () => ({ kind: 'ignored', reason: 'test' }),
});

const slack = aDestination({
  slug: 'slack',
  settings: { channel: text('The channel.') },
  promises: { ordering: 'per-key', idempotency: 'none' },
  unknownOutcome: 'drop',
});

const definitions: Definitions = {
  source: (slug) => (slug === 'gusto' ? gusto : undefined),
  destination: (slug) => (slug === 'slack' ? slack : undefined),
  sourceSlugs: ['gusto'],
  destinationSlugs: ['slack'],
};

const aSource = (over: Partial<ConnectionSpec> = {}): ConnectionSpec => ({
  id: 'in',
  tenant: 'acme',
  source: 'gusto',
  settings: {},
  secrets: { webhook: ['env:A'] },
  ...over,
});
const aTarget = (over: Partial<ConnectionSpec> = {}): ConnectionSpec => ({
  id: 'out',
  tenant: 'acme',
  destination: 'slack',
  settings: { channel: 'C1' },
  secrets: {},
  ...over,
});
const aSubscription = (over: Partial<SubscriptionSpec> = {}): SubscriptionSpec => ({
  id: 'hires',
  tenant: 'acme',
  events: ['people.employee.onboarded'],
  to: 'out',
  operation: 'post',
  ...over,
});

function problemsOf(wanted: Partial<Integrations>, applied: readonly KnownConnection[] = []): string[] {
  return validateIntegrations({ connections: [], subscriptions: [], apiKeys: [], ...wanted }, definitions, applied);
}

describe('validation of integrations', () => {
  it('finds nothing wrong with what is right', () => {
    expect(
      problemsOf({ connections: [aSource(), aTarget()], subscriptions: [aSubscription({ filter: 'true' })] }),
    ).toEqual([]);
  });

  it.each<[string, ConnectionSpec, RegExp]>([
    ['an unknown source', aSource({ source: 'gustav' }), /source gustav is not known; there are gusto/],
    ['an unknown setting', aTarget({ settings: { channel: 'C', chanel: 'D' } }), /settings\.chanel is not known/],
    ['a missing setting', aTarget({ settings: {} }), /settings\.channel is missing: The channel\./],
    [
      'an unknown secret',
      aSource({ secrets: { webhook: ['env:A'], other: ['env:B'] } }),
      /secrets\.other is not known/,
    ],
    ['a missing secret', aSource({ secrets: {} }), /secrets\.webhook is missing: The token\./],
    ['a secret without a value', aSource({ secrets: { webhook: [] } }), /secrets\.webhook is missing/],
    ['a source for a destination', aTarget({ destination: 'gusto' }), /destination gusto is not known/],
    ['a name of every object as slug', aSource({ source: 'constructor' }), /source constructor is not known/],
  ])('refuses a connection with %s', (_, connection, problem) => {
    expect(problemsOf({ connections: [connection] })).toEqual([expect.stringMatching(problem)]);
  });

  it.each<[ConnectionSpec['unknownOutcome'], 'key' | 'none', RegExp | undefined]>([
    ['retry', 'none', /does not drop repeats, so retry may do things twice/],
    ['retry-although-it-may-repeat', 'none', undefined],
    ['drop', 'none', undefined],
    ['hold', 'none', undefined],
    ['retry', 'key', undefined],
    ['drop', 'key', undefined],
    ['retry-although-it-may-repeat', 'key', /drops repeats; write retry/],
  ])('judges an unknown outcome to %s where idempotency is %s', (unknownOutcome, idempotency, problem) => {
    const promising = { ...slack, promises: { ...slack.promises, idempotency } };
    const known = { ...definitions, destination: () => promising };
    const wanted = { connections: [aTarget({ unknownOutcome })], subscriptions: [], apiKeys: [] };
    const expected = problem ? [expect.stringMatching(problem)] : [];
    expect(validateIntegrations(wanted, known, [])).toEqual(expected);
  });

  it.each<[ConnectionSpec['onDead'], 'per-key' | 'none', RegExp | undefined]>([
    ['hold', 'per-key', undefined],
    ['hold', 'none', /test has no order by key/],
    ['continue', 'none', undefined],
  ])('judges %s on a dead letter where ordering is %s', (onDead, ordering, problem) => {
    const ordered = aDestination({ promises: { ordering, idempotency: 'key' } });
    const known = { ...definitions, destination: () => ordered };
    const wanted = { connections: [aTarget({ onDead, settings: {} })], subscriptions: [], apiKeys: [] };
    expect(validateIntegrations(wanted, known, [])).toEqual(problem ? [expect.stringMatching(problem)] : []);
  });

  it.each<[string, Partial<SubscriptionSpec>, RegExp]>([
    ['an event type that is none', { events: ['people'] }, /people is not an event type/],
    ['a type that the operation does not take', { events: ['work.issue.opened'] }, /slack\.post does not take work/],
    ['a filter that does not parse', { filter: 'event.a ==' }, /filter /],
    ['a filter that is no claim', { filter: '1 + 1' }, /filter must be true or false/],
    ['a mapping that does not parse', { mapping: { text: '(((' } }, /mapping\.text/],
    ['an unknown operation', { operation: 'shout' }, /slack has no operation shout; there are post/],
    ['a target that is a source', { to: 'in' }, /connection in is not a destination/],
    ['a target of another tenant', { tenant: 'other' }, /connection out belongs to tenant acme, not other/],
  ])('refuses a subscription with %s', (_, over, problem) => {
    const wanted = { connections: [aSource(), aTarget()], subscriptions: [aSubscription(over)] };
    expect(problemsOf(wanted).join('\n')).toMatch(problem);
  });

  it.each(['constructor', 'toString', '__proto__'])('refuses operation %s, which every object has', (name) => {
    const wanted = { connections: [aTarget()], subscriptions: [aSubscription({ operation: name })] };
    expect(problemsOf(wanted)).toEqual([expect.stringContaining(`has no operation ${name}`)]);
  });

  it('takes a connection that waits for its handshake without a secret', () => {
    const pending = aSource({ secrets: {}, settings: { pending: true } });
    expect(problemsOf({ connections: [pending] }).join()).not.toContain('secrets.webhook');
  });

  it('lets a subscription wait for a connection that comes later, and checks it against an applied one', () => {
    expect(problemsOf({ subscriptions: [aSubscription()] })).toEqual([]);
    const applied = [{ id: 'out', tenant: 'acme', destination: null }];
    expect(problemsOf({ subscriptions: [aSubscription()] }, applied)).toEqual([
      expect.stringContaining('out is not a destination'),
    ]);
  });

  it('names each id that is there twice, once', () => {
    const wanted = {
      connections: [aSource(), aSource(), aSource()],
      subscriptions: [aSubscription(), aSubscription()],
    };
    expect(problemsOf(wanted)).toEqual([
      'connection in is there more than once',
      'subscription hires is there more than once',
    ]);
  });
});
