import { describe, expect, it } from 'vitest';
import type { LimitScope } from './destination.js';
import { limitedPart, rateOf } from './gate-scope.js';
import { text } from './settings.js';
import { aDestination, aPostOperation } from './testing/a-destination.js';

const channel: LimitScope = { resource: 'channel', namedBy: 'channel' };

const limitedBy = (scope: LimitScope | undefined, ofOperation?: LimitScope) =>
  aDestination({
    settings: { channel: text('Channel.', { example: 'C1' }) },
    limits: { maxInFlight: 1, timeoutMs: 1_000, ...(scope && { scope }), rate: { perSecond: 2, burst: 4 } },
    operations: {
      post: aPostOperation(ofOperation && { limits: { scope: ofOperation, rate: { perSecond: 1, burst: 1 } } }),
    },
  });

const question = { operation: 'post', settings: { channel: 'C1' }, mapping: undefined, key: 'acme:e-1' };

describe('the scope of a limit', () => {
  it.each<[string, LimitScope | undefined, LimitScope | undefined, string | undefined]>([
    ['the account when nothing is said', undefined, undefined, undefined],
    ['the account', 'connection', undefined, undefined],
    ['one operation', 'operation', undefined, 'operation:post'],
    ['the key', 'key', undefined, 'key:acme:e-1'],
    ['a resource', channel, undefined, 'channel:C1'],
    ["the operation's own before the destination's", 'connection', 'key', 'key:acme:e-1'],
  ])('is %s', (_, scope, ofOperation, part) => {
    expect(limitedPart(limitedBy(scope, ofOperation), question)).toBe(part);
  });

  it.each<[string, string | undefined, string | undefined]>([
    ['the setting, without a mapping of that field', undefined, 'channel:C1'],
    ['a text in quotes', `'C2'`, 'channel:C2'],
    ['a text in double quotes', ` "C2" `, 'channel:C2'],
    ['a field of the event: nobody knows before it is read', 'data.channel', undefined],
    ['a text that the event completes', `'C' & data.number`, undefined],
    ['a text with an escape', `'C\\u0032'`, undefined],
    ['two texts', `'C1','C2'`, undefined],
    ['an empty text', `''`, undefined],
  ])('is a resource that a mapping names by %s', (_, expression, part) => {
    const mapping = expression === undefined ? { text: 'data.name' } : { channel: expression };
    expect(limitedPart(limitedBy(channel), { ...question, mapping })).toBe(part);
  });

  it('does not take what every object has for an operation', () => {
    expect(limitedPart(limitedBy('operation'), { ...question, operation: 'constructor' })).toBe(
      'operation:constructor',
    );
  });

  it('has the rate of the operation, or else of the destination', () => {
    expect(rateOf(limitedBy('key'), 'post')).toEqual({ perSecond: 2, burst: 4 });
    expect(rateOf(limitedBy('key', 'operation'), 'post')).toEqual({ perSecond: 1, burst: 1 });
  });

  it('must be named by a setting, and a rate must let something through', () => {
    expect(() => limitedBy({ resource: 'room', namedBy: 'room' })).toThrow(/limits by room, which no setting names/);
    const nothing = { maxInFlight: 1, timeoutMs: 1_000, rate: { perSecond: 0, burst: 1 } };
    expect(() => aDestination({ limits: nothing })).toThrow(/lets nothing through/);
  });
});
