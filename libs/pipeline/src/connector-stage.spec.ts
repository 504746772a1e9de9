import type { Subscription, Suspension } from '@tributary/contracts';
import type { ConnectionLookup } from '@tributary/control';
import type { DeliveryOutcome } from '@tributary/domain';
import type { Attempt } from '@tributary/kafka';
import type { DeliveryClaimState } from '@tributary/persistence';
import { describe, expect, it } from 'vitest';
import { ConnectorStage } from './connector-stage.js';
import type { ClaimsPort } from './delivery-call.js';
import { aForgetfulDestination, deliveries, deliveryHeaders, quietPorts } from './testing/connector-world.js';
import { away, type incoming, memoryWorld, Refused } from './testing/world.js';

interface Wishes {
  readonly outcome?: DeliveryOutcome;
  readonly claims?: ClaimsPort;
  readonly unknownOutcome?: 'drop' | 'hold';
}

async function world({ outcome = { kind: 'delivered', receipt: 'r1' }, unknownOutcome = 'drop', claims }: Wishes = {}) {
  const { codec, writer, audit, audits, surroundings } = memoryWorld();
  const sends: string[] = [];
  const destination = aForgetfulDestination(unknownOutcome, async (_http, _message, { deliveryId, secrets }) => {
    sends.push(deliveryId);
    return secrets.token?.[0] === 'rotated' ? { kind: 'delivered' } : outcome;
  });
  const usable: ConnectionLookup<typeof destination> = {
    kind: 'usable',
    connection: { id: 'out', tenant: 'acme', definition: destination, settings: {}, secrets: {} },
  };
  const state = {
    connection: usable as ConnectionLookup<typeof destination>,
    suspension: undefined as Suspension | undefined,
    subscription: { id: 's1', mapping: null } as Subscription | undefined,
    renewed: undefined as ConnectionLookup<typeof destination> | undefined,
    suspend: async () => {},
  };
  const suspended: string[] = [];
  const noted: string[] = [];
  const stage = new ConnectorStage({
    destination,
    ...quietPorts,
    codec,
    audit,
    find: () => state.connection,
    findAnew: () => state.renewed ?? state.connection,
    suspensionOf: () => state.suspension,
    subscriptionOf: () => state.subscription,
    suspend: async (id, tenant, reason, untilMs) => {
      await state.suspend();
      suspended.push([id, tenant, reason, ...(untilMs === undefined ? [] : [untilMs])].join(' '));
    },
    gates: { note: (_, { outcome: { kind } }) => void noted.push(kind) },
    ...(claims && { claims }),
    surroundings,
  });
  const aDelivery = await deliveries(codec);
  const work = new AbortController();
  const anAttempt = (over: Partial<Attempt> = {}): Attempt => ({
    number: 1,
    firstFailureMs: undefined,
    signal: work.signal,
    ...over,
  });
  return { stage, state, sends, suspended, noted, usable, codec, writer, audits, aDelivery, anAttempt, work };
}

describe('ConnectorStage', () => {
  it('delivers once and records it with its receipt', async () => {
    const { stage, aDelivery, anAttempt, audits, sends } = await world();
    expect(await stage.handle(aDelivery(), anAttempt())).toEqual({ to: 'commit' });
    expect(sends).toEqual(['d1']);
    expect(await audits()).toMatchObject([
      {
        action: 'settled',
        outcome: 'delivered',
        receipt: 'r1',
        deliveryId: 'd1',
        originTopic: 'delivery.test.v1',
        attempt: 1,
      },
    ]);
  });

  it.each<[DeliveryOutcome, string, string]>([
    [{ kind: 'rejected', reason: 'no such channel' }, 'deadLetter', 'rejected'],
    [{ kind: 'unavailable', reason: 'down' }, 'retry', 'unavailable'],
    [{ kind: 'throttled', retryAfterMs: 500 }, 'gate', 'throttled'],
    [{ kind: 'unauthorized', reason: 'revoked' }, 'suspend', 'unauthorized'],
    [{ kind: 'disabled', reason: 'gone' }, 'suspend', 'unauthorized'],
    [{ kind: 'unknown', reason: 'no answer' }, 'deadLetter', 'unknown-outcome'],
  ])('records an attempt that ended as %j and settles it: %s', async (outcome, to, errorClass) => {
    const { stage, aDelivery, anAttempt, audits, suspended } = await world({ outcome });
    expect(await stage.handle(aDelivery(), anAttempt())).toMatchObject({ to, failure: { errorClass } });
    expect(await audits()).toMatchObject([{ action: 'attempted', outcome: outcome.kind, errorClass }]);
    expect(suspended).toHaveLength(to === 'suspend' ? 1 : 0);
  });

  it('ends the trying when the age limit is reached', async () => {
    const { stage, aDelivery, anAttempt } = await world({ outcome: { kind: 'unavailable', reason: 'down' } });
    const attempt = anAttempt({ number: 80, firstFailureMs: 1_000_000 - 72 * 3_600_000 });
    expect(await stage.handle(aDelivery(), attempt)).toMatchObject({
      to: 'deadLetter',
      failure: { errorClass: 'expired' },
    });
  });

  it.each<[Wishes, string]>([
    [{}, 'commit'],
    [{ outcome: { kind: 'unknown', reason: 'no answer' }, unknownOutcome: 'drop' }, 'deadLetter'],
    [{ outcome: { kind: 'unknown', reason: 'no answer' }, unknownOutcome: 'hold' }, 'suspend'],
    [{ outcome: { kind: 'rejected', reason: 'x' } }, 'deadLetter'],
  ])('does not send again because Kafka was away after %j', async (wishes, to) => {
    const { stage, aDelivery, anAttempt, writer, audits, sends } = await world(wishes);
    let refusals = 3;
    writer.trouble = () => {
      if (refusals-- > 0) throw away();
    };
    expect(await stage.handle(aDelivery(), anAttempt())).toMatchObject({ to });
    expect(sends).toEqual(['d1']);
    expect(await audits()).toHaveLength(1);
  });

  it('does not send again because a suspension could not be written at once', async () => {
    const wishes: Wishes = { outcome: { kind: 'unknown', reason: 'no answer' }, unknownOutcome: 'hold' };
    const { stage, state, aDelivery, anAttempt, sends, suspended } = await world(wishes);
    let refusals = 2;
    state.suspend = async () => {
      if (refusals-- > 0) throw away();
    };
    expect(await stage.handle(aDelivery(), anAttempt())).toMatchObject({ to: 'suspend' });
    expect(sends).toHaveLength(1);
    expect(suspended).toEqual(['out acme no answer']);
  });

  it('gives up the record of it only when the partition is taken away', async () => {
    const { stage, aDelivery, anAttempt, writer, work } = await world();
    writer.trouble = () => {
      work.abort();
      throw away();
    };
    await expect(stage.handle(aDelivery(), anAttempt())).rejects.toMatchObject({ retryable: true });
  });

  it('waits while the connection is suspended, and sends nothing', async () => {
    const { stage, state, aDelivery, anAttempt, sends, audits } = await world();
    state.suspension = {
      connectionId: 'out',
      reason: 'revoked',
      suspendedBy: 'x',
      suspendedAt: 0,
      until: null,
      version: 1,
    };
    expect(await stage.handle(aDelivery(), anAttempt())).toMatchObject({
      to: 'suspend',
      failure: { reason: 'revoked' },
    });
    expect(sends).toEqual([]);
    expect(await audits()).toEqual([]);
  });

  it('looks again soon while the connection cannot be used', async () => {
    const { stage, state, aDelivery, anAttempt, sends } = await world();
    state.connection = { kind: 'unusable', tenant: 'acme', reason: 'secret token: file is missing' };
    expect(await stage.handle(aDelivery(), anAttempt())).toMatchObject({
      to: 'gate',
      failure: { reason: /file is missing/ },
    });
    expect(sends).toEqual([]);
  });

  it('dead-letters what waits for a connection or a subscription that was removed, and records the end', async () => {
    const { stage, state, aDelivery, anAttempt, sends, audits } = await world();
    state.subscription = undefined;
    const record = aDelivery();
    const settlement = await stage.handle(record, anAttempt());
    expect(settlement).toMatchObject({ failure: { errorClass: 'connection-removed', code: 'subscription-removed' } });
    if (settlement.to === 'deadLetter') await stage.recordDeath(record, settlement.failure);
    state.connection = { kind: 'unknown' };
    expect(await stage.handle(aDelivery(), anAttempt())).toMatchObject({
      to: 'deadLetter',
      failure: { errorClass: 'connection-removed', code: 'connection-removed' },
    });
    expect(sends).toEqual([]);
    expect(await audits()).toMatchObject([
      { action: 'settled', outcome: 'dead', errorCode: 'subscription-removed', deliveryId: 'd1' },
    ]);
  });

  it.each<[string, Parameters<typeof incoming>[0], string]>([
    ['without the headers of a delivery', { rawHeaders: {} }, 'headers-missing'],
    ['without the attributes of an event', { rawHeaders: { ...deliveryHeaders, ce_id: '' } }, 'attributes-missing'],
    ['without a value', { value: null }, 'value-missing'],
    ['with bytes that are no Avro', { value: Buffer.from('garbage') }, 'INVALID_AVRO'],
    [
      'with an operation that every object has',
      { rawHeaders: { ...deliveryHeaders, 'x-operation': 'constructor' } },
      'OPERATION_UNKNOWN',
    ],
    [
      'with an event that the operation does not take',
      { rawHeaders: { ...deliveryHeaders, ce_type: 'work.issue.opened' } },
      'EVENT_NOT_ACCEPTED',
    ],
  ])('dead-letters a record %s', async (_, over, code) => {
    const { stage, aDelivery, anAttempt, sends } = await world();
    expect(await stage.handle(aDelivery(over), anAttempt())).toMatchObject({ to: 'deadLetter', failure: { code } });
    expect(sends).toEqual([]);
  });

  it('waits while the registry is away, and dead-letters a schema that nobody knows', async () => {
    const { stage, codec, aDelivery, anAttempt } = await world();
    codec.trouble = () => {
      throw away();
    };
    await expect(stage.handle(aDelivery(), anAttempt())).rejects.toMatchObject({ retryable: true });
    codec.trouble = () => {
      throw new Refused('SCHEMA_NOT_FOUND');
    };
    expect(await stage.handle(aDelivery(), anAttempt())).toMatchObject({ failure: { code: 'SCHEMA_NOT_FOUND' } });
  });
});

describe('a secret that is refused', () => {
  const refused: Wishes = { outcome: { kind: 'unauthorized', reason: 'token revoked' } };

  it('is read anew once, and the delivery sent again when it was replaced', async () => {
    const { stage, state, usable, aDelivery, anAttempt, sends, suspended, audits, noted } = await world(refused);
    if (usable.kind === 'usable')
      state.renewed = { kind: 'usable', connection: { ...usable.connection, secrets: { token: ['rotated'] } } };
    expect(await stage.handle(aDelivery(), anAttempt())).toEqual({ to: 'commit' });
    expect([sends, suspended, noted]).toEqual([['d1', 'd1'], [], ['delivered']]);
    expect(await audits()).toMatchObject([
      { action: 'attempted', outcome: 'unauthorized', reason: /token revoked; the secret was replaced/ },
      { action: 'settled', outcome: 'delivered', attempt: 1 },
    ]);
  });

  it('suspends the connection when it was not replaced, or when the new one is refused as well', async () => {
    const { stage, aDelivery, anAttempt, sends, suspended } = await world(refused);
    expect(await stage.handle(aDelivery(), anAttempt())).toMatchObject({ to: 'suspend' });
    expect([sends, suspended]).toEqual([['d1'], ['out acme token revoked']]);
    const again = await world(refused);
    if (again.usable.kind === 'usable')
      again.state.renewed = {
        kind: 'usable',
        connection: { ...again.usable.connection, secrets: { token: ['other'] } },
      };
    expect(await again.stage.handle(again.aDelivery(), again.anAttempt())).toMatchObject({ to: 'suspend' });
    expect(again.sends).toEqual(['d1', 'd1']);
    expect(new Set((await again.audits()).map(({ auditId }) => auditId)).size).toBe(2);
  });
});

describe('a destination that asks for more than a day', () => {
  it('is suspended until then, to the millisecond at the earliest', async () => {
    const day = 24 * 3_600_000;
    const { stage, aDelivery, anAttempt, suspended } = await world({
      outcome: { kind: 'throttled', retryAfterMs: 2 * day },
    });
    const settlement = await stage.handle(aDelivery(), anAttempt());
    expect(settlement).toMatchObject({ to: 'suspend', failure: { errorClass: 'throttled' } });
    const untilMs = settlement.to === 'suspend' ? settlement.untilMs : undefined;
    expect(untilMs).toBeGreaterThanOrEqual(1_000_000 + 2 * day);
    expect(suspended).toEqual([`out acme asked to wait ${2 * day} ms ${untilMs}`]);
  });
});

describe("a connection's own answer to an unknown outcome", () => {
  it.each([
    ['retry', 'retry'],
    ['drop', 'deadLetter'],
    ['hold', 'suspend'],
  ] as const)('%s wins over the definition: %s', async (unknownOutcome, to) => {
    const { stage, state, usable, aDelivery, anAttempt } = await world({
      outcome: { kind: 'unknown', reason: 'no answer' },
      unknownOutcome: to === 'deadLetter' ? 'hold' : 'drop',
    });
    if (usable.kind === 'usable')
      state.connection = { kind: 'usable', connection: { ...usable.connection, unknownOutcome } };
    expect(await stage.handle(aDelivery(), anAttempt())).toMatchObject({ to });
  });
});

describe('a claimed delivery', () => {
  function claimsOf(state: DeliveryClaimState) {
    const settled: string[] = [];
    const claims: ClaimsPort = {
      claim: async () => state,
      settle: async ({ result, receipt }) => void settled.push([result, receipt].filter(Boolean).join(' ')),
    };
    return { claims, settled };
  }

  it.each<[DeliveryOutcome, 'drop' | 'hold', string]>([
    [{ kind: 'delivered', receipt: 'ts-1' }, 'drop', 'delivered ts-1'],
    [{ kind: 'rejected', reason: 'no' }, 'drop', 'released'],
    [{ kind: 'unavailable', reason: '500' }, 'drop', 'released'],
    [{ kind: 'throttled', retryAfterMs: 5 }, 'drop', 'released'],
    [{ kind: 'unauthorized', reason: 'no' }, 'drop', 'released'],
    [{ kind: 'unknown', reason: 'no answer' }, 'drop', 'dropped'],
    [{ kind: 'unknown', reason: 'no answer' }, 'hold', 'released'],
  ])('that ended as %j under %s is remembered as %s', async (outcome, unknownOutcome, result) => {
    const { claims, settled } = claimsOf({ kind: 'fresh' });
    const { stage, aDelivery, anAttempt, sends } = await world({ outcome, unknownOutcome, claims });
    await stage.handle(aDelivery(), anAttempt());
    expect([sends, settled]).toEqual([['d1'], [result]]);
  });

  it.each<[DeliveryClaimState, 'drop' | 'hold', object, string]>([
    [{ kind: 'delivered', receipt: 'ts-1' }, 'drop', { to: 'commit' }, 'delivered ts-1'],
    [{ kind: 'dropped' }, 'hold', { to: 'deadLetter', failure: { code: 'GIVEN_UP' } }, 'dropped'],
    [{ kind: 'in-doubt', ageMs: 60_000 }, 'drop', { to: 'deadLetter', failure: { code: 'IN_DOUBT' } }, 'dropped'],
    [{ kind: 'in-doubt', ageMs: 60_000 }, 'hold', { to: 'suspend', failure: { code: 'IN_DOUBT' } }, 'released'],
  ])('known as %j under %s is not sent: %j', async (state, unknownOutcome, settlement, result) => {
    const { claims, settled } = claimsOf(state);
    const { stage, aDelivery, anAttempt, sends, noted } = await world({ unknownOutcome, claims });
    expect(await stage.handle(aDelivery(), anAttempt())).toMatchObject(settlement);
    expect([sends, settled, noted]).toEqual([[], [result], []]);
  });

  it('that may still be under way elsewhere waits, and is not judged', async () => {
    const { claims, settled } = claimsOf({ kind: 'in-doubt', ageMs: 5_999 });
    const { stage, aDelivery, anAttempt, sends } = await world({ claims });
    await expect(stage.handle(aDelivery(), anAttempt())).rejects.toMatchObject({
      code: 'DELIVERY_UNDER_WAY',
      retryable: true,
    });
    expect([sends, settled]).toEqual([[], []]);
  });

  it('waits while the database is away, and nothing is sent', async () => {
    const claims: ClaimsPort = { claim: () => Promise.reject(away()), settle: async () => undefined };
    const { stage, aDelivery, anAttempt, sends } = await world({ claims });
    await expect(stage.handle(aDelivery(), anAttempt())).rejects.toMatchObject({ retryable: true });
    expect(sends).toEqual([]);
  });

  it('is not sent again because its result could not be written at once', async () => {
    let refusals = 2;
    const settled: string[] = [];
    const claims: ClaimsPort = {
      claim: async () => ({ kind: 'fresh' }),
      settle: async ({ result }) => {
        if (refusals-- > 0) throw away();
        settled.push(result);
      },
    };
    const { stage, aDelivery, anAttempt, sends } = await world({ claims });
    expect(await stage.handle(aDelivery(), anAttempt())).toEqual({ to: 'commit' });
    expect([sends, settled]).toEqual([['d1'], ['delivered']]);
  });

  it('is released by a hold only after everybody can know of it', async () => {
    const steps: string[] = [];
    const claims: ClaimsPort = {
      claim: async () => ({ kind: 'fresh' }),
      settle: async ({ result }) => void steps.push(result),
    };
    const outcome: DeliveryOutcome = { kind: 'unknown', reason: 'no answer' };
    const { stage, state, aDelivery, anAttempt } = await world({ outcome, unknownOutcome: 'hold', claims });
    state.suspend = async () => void steps.push('suspended');
    await stage.handle(aDelivery(), anAttempt());
    expect(steps).toEqual(['suspended', 'released']);
  });
});
