import type { DeliveryOutcome } from '@tributary/domain';
import { Database, DeliveryClaims, migrate } from '@tributary/persistence';
import { withDatabase } from '@tributary/testing';
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { ConnectorStage } from './connector-stage.js';
import { aForgetfulDestination, deliveries, deliveryHeaders, quietPorts } from './testing/connector-world.js';
import { memoryWorld } from './testing/world.js';

const held = withDatabase();
let database: Database;

beforeAll(async () => {
  await migrate(held.url);
  database = new Database({ url: held.url, applicationName: 'spec', maxConnections: 4, onIdleError: () => undefined });
});
beforeEach(() => database.query('TRUNCATE delivery.claim'));
afterAll(() => database.close());

type Moment = 'before the call' | 'during the call' | 'before the result is written' | 'after the result is written';

/** Messages that arrived, whoever sent them. */
interface Receiver {
  readonly messages: string[];
}

/** One life of a connector. It is killed at a moment: whatever it is doing then never ends. */
async function connector(
  receiver: Receiver,
  { unknownOutcome = 'drop', killed }: { unknownOutcome?: 'drop' | 'hold'; killed?: Moment } = {},
) {
  const { codec, audit, surroundings } = memoryWorld();
  const table = new DeliveryClaims(database);
  let die: () => void = () => undefined;
  const death = new Promise<'killed'>((resolve) => {
    die = () => resolve('killed');
  });
  const at = <T>(moment: Moment, act: () => Promise<T>): Promise<T> => {
    if (moment !== killed) return act();
    die();
    return new Promise<never>(() => undefined);
  };
  const destination = aForgetfulDestination(unknownOutcome, (_http, _message, { deliveryId }) =>
    at('before the call', async (): Promise<DeliveryOutcome> => {
      receiver.messages.push(deliveryId);
      return at('during the call', async () => ({ kind: 'delivered', receipt: `ts-${deliveryId}` }));
    }),
  );
  const connection = { id: 'out', tenant: 'acme', definition: destination, settings: {}, secrets: {} };
  const stage = new ConnectorStage({
    destination,
    ...quietPorts,
    codec,
    audit,
    find: () => ({ kind: 'usable', connection }),
    findAnew: () => ({ kind: 'usable', connection }),
    suspensionOf: () => undefined,
    subscriptionOf: () => ({ id: 's1', mapping: null }) as never,
    suspend: async () => undefined,
    surroundings,
    claims: {
      claim: async (claim) => (await table.claim([claim]))[0] as never,
      settle: async (result) => {
        await at('before the result is written', () => table.settle([result]));
        await at('after the result is written', async () => undefined);
      },
    },
  });
  const aDelivery = await deliveries(codec);
  const handle = (redrive?: string) => {
    const rawHeaders = { ...deliveryHeaders, ...(redrive && { 'x-redrive-id': redrive }) };
    const attempt = { number: 1, firstFailureMs: undefined, signal: new AbortController().signal };
    return Promise.race([stage.handle(aDelivery({ rawHeaders }), attempt), death]);
  };
  return { handle };
}

const untilAttemptsAreOver = () =>
  database.query("UPDATE delivery.claim SET claimed_at = claimed_at - interval '1 minute'");

describe('a connector that is killed at a destination without idempotency', () => {
  it.each<[Moment, number, object]>([
    ['before the call', 0, { to: 'deadLetter', failure: { errorClass: 'unknown-outcome', code: 'IN_DOUBT' } }],
    ['during the call', 1, { to: 'deadLetter', failure: { errorClass: 'unknown-outcome', code: 'IN_DOUBT' } }],
    ['before the result is written', 1, { to: 'deadLetter', failure: { code: 'IN_DOUBT' } }],
    ['after the result is written', 1, { to: 'commit' }],
  ])('%s leaves %i message, and the next one settles it: %j', async (moment, messages, settlement) => {
    const receiver: Receiver = { messages: [] };
    expect(await (await connector(receiver, { killed: moment })).handle()).toBe('killed');
    const next = await connector(receiver);
    if (settlement && moment !== 'after the result is written') {
      await expect(next.handle()).rejects.toMatchObject({ code: 'DELIVERY_UNDER_WAY' });
      await untilAttemptsAreOver();
    }
    expect(await next.handle()).toMatchObject(settlement);
    // And so does every owner after that.
    const third = await (await connector(receiver)).handle();
    expect(third).toMatchObject({ to: (settlement as { to: string }).to });
    expect(receiver.messages).toHaveLength(messages);
  });

  it('sends what was given up only when a person redrives it, and that once', async () => {
    const receiver: Receiver = { messages: [] };
    await (await connector(receiver, { killed: 'before the call' })).handle();
    await untilAttemptsAreOver();
    expect(await (await connector(receiver)).handle()).toMatchObject({ to: 'deadLetter' });
    expect(await (await connector(receiver)).handle('redrive-1')).toEqual({ to: 'commit' });
    expect(await (await connector(receiver)).handle('redrive-1')).toEqual({ to: 'commit' });
    expect(receiver.messages).toEqual(['d1']);
  });

  it('waits for a person under hold, and sends it once that person resumes the connection', async () => {
    const receiver: Receiver = { messages: [] };
    await (await connector(receiver, { killed: 'before the call' })).handle();
    await untilAttemptsAreOver();
    expect(await (await connector(receiver, { unknownOutcome: 'hold' })).handle()).toMatchObject({ to: 'suspend' });
    expect(await (await connector(receiver, { unknownOutcome: 'hold' })).handle()).toEqual({ to: 'commit' });
    expect(receiver.messages).toEqual(['d1']);
  });
});
