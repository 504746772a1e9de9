import type { Failure, OnDead } from '@tributary/domain';
import { describe, expect, it } from 'vitest';
import { aDestination } from '../../../libs/connector-kit/src/testing/a-destination.js';
import { onDeadFor } from './on-dead.js';

const aFailure = (over: Partial<Failure> = {}): Failure => ({
  errorClass: 'rejected',
  reason: 'no',
  stage: 'send',
  ...over,
});

function asked(own: OnDead | undefined, failure?: Failure, byDefinition?: OnDead): OnDead {
  const definition = aDestination({ ...(byDefinition && { onDead: byDefinition }) });
  const connection = { id: 'out', tenant: 'acme', definition, settings: {}, secrets: {}, ...(own && { onDead: own }) };
  return onDeadFor(definition, () => ({ kind: 'usable', connection }))('out', failure);
}

describe('what a dead letter means for its key', () => {
  it.each<[string, OnDead | undefined, OnDead | undefined, OnDead]>([
    ['nothing where nobody says otherwise', undefined, undefined, 'continue'],
    ['what the definition says', undefined, 'hold', 'hold'],
    ['what the connection says', 'hold', undefined, 'hold'],
    ["what the connection says before the definition's", 'continue', 'hold', 'continue'],
  ])('is %s', (_, own, byDefinition, expected) => {
    expect(asked(own, aFailure(), byDefinition)).toBe(expected);
    expect(asked(own, undefined, byDefinition)).toBe(expected);
  });

  it.each<[string, Failure, OnDead]>([
    ['has no connection any more', aFailure({ errorClass: 'connection-removed', stage: 'prepare' }), 'continue'],
    ['cannot be read', aFailure({ errorClass: 'invalid', stage: 'prepare' }), 'continue'],
    ['cannot be translated, which a person can mend', aFailure({ errorClass: 'invalid', stage: 'translate' }), 'hold'],
    ['was tried for too long', aFailure({ errorClass: 'expired' }), 'hold'],
  ])('of what %s', (_, failure, expected) => {
    expect(asked('hold', failure)).toBe(expected);
  });

  it('ends with the connection, and not with a secret that is missing for a while', () => {
    const definition = aDestination();
    expect(onDeadFor(definition, () => ({ kind: 'unknown' }))('out')).toBe('continue');
    const unusable = { kind: 'unusable', tenant: 'acme', reason: 'secret missing' } as const;
    expect(onDeadFor(definition, () => unusable)('out')).toBe('hold');
    expect(onDeadFor(definition, () => unusable)('out', aFailure())).toBe('continue');
  });
});
