import { withDatabase } from '@tributary/testing';
import { beforeAll, describe, expect, it } from 'vitest';
import { Database } from './database.js';
import { DatabaseNotReady } from './database-errors.js';
import { DeliveryClaims } from './delivery-claims.js';
import { withMigratedDatabase } from './testing/migrated-database.js';

const held = withMigratedDatabase();
let claims: DeliveryClaims;

beforeAll(() => {
  claims = new DeliveryClaims(held.database);
});

let next = 0;
const aDelivery = (round = '') => ({ deliveryId: `d${next++}`, round });
const fresh = { kind: 'fresh' };
const inDoubt = { kind: 'in-doubt', ageMs: expect.any(Number) };

describe('DeliveryClaims', () => {
  it('lets a delivery go once, and is in doubt about it until a result is known', async () => {
    const delivery = aDelivery();
    expect(await claims.claim([delivery])).toEqual([fresh]);
    expect(await claims.claim([delivery, aDelivery()])).toEqual([inDoubt, fresh]);
    await claims.settle([{ deliveryId: delivery.deliveryId, result: 'delivered', receipt: 'ts-1' }]);
    expect(await claims.claim([delivery])).toEqual([{ kind: 'delivered', receipt: 'ts-1' }]);
  });

  it('lets it go again when the attempt had no effect', async () => {
    const delivery = aDelivery();
    await claims.claim([delivery]);
    await claims.settle([{ deliveryId: delivery.deliveryId, result: 'released' }]);
    expect(await claims.claim([delivery])).toEqual([fresh]);
  });

  it('does not let go what was given up, unless a person redrives it', async () => {
    const delivery = aDelivery();
    await claims.claim([delivery]);
    await claims.settle([{ deliveryId: delivery.deliveryId, result: 'dropped' }]);
    expect(await claims.claim([delivery])).toEqual([{ kind: 'dropped' }]);
    const redriven = { ...delivery, round: 'r1' };
    expect(await claims.claim([redriven])).toEqual([fresh]);
    expect(await claims.claim([redriven])).toEqual([inDoubt]);
    expect(await claims.claim([{ ...delivery, round: 'r2' }])).toEqual([fresh]);
  });

  it('never lets go again what arrived, also when it is redriven or released late', async () => {
    const delivery = aDelivery();
    await claims.claim([delivery]);
    await claims.settle([{ deliveryId: delivery.deliveryId, result: 'delivered' }]);
    await claims.settle([{ deliveryId: delivery.deliveryId, result: 'released' }]);
    expect(await claims.claim([{ ...delivery, round: 'r1' }])).toEqual([{ kind: 'delivered', receipt: undefined }]);
  });

  it('knows how long ago a claim was made', async () => {
    const delivery = aDelivery();
    await claims.claim([delivery]);
    await held.database.query(
      "UPDATE delivery.claim SET claimed_at = now() - interval '1 minute' WHERE delivery_id = $1",
      [delivery.deliveryId],
    );
    const [state] = await claims.claim([delivery]);
    expect(state?.kind === 'in-doubt' && state.ageMs).toBeGreaterThanOrEqual(60_000);
  });

  it('lets exactly one go when many claim the same at once', async () => {
    const deliveries = Array.from({ length: 50 }, () => aDelivery());
    const turned = (n: number) => [...deliveries.slice(n * 10), ...deliveries.slice(0, n * 10)];
    const states = await Promise.all([0, 1, 2, 3, 4].map((n) => claims.claim(turned(n))));
    expect(states.flat().filter(({ kind }) => kind === 'fresh')).toHaveLength(deliveries.length);
  });

  it('gives the second of a batch no claim of its own', async () => {
    const delivery = aDelivery();
    const states = await claims.claim([delivery, delivery]);
    expect(states.map(({ kind }) => kind)).toEqual(['fresh', 'in-doubt']);
  });

  it('settles many at once, and takes a receipt with any text', async () => {
    const [a, b, c] = [aDelivery(), aDelivery(), aDelivery()];
    await claims.claim([a, b, c]);
    await claims.settle([
      { deliveryId: a.deliveryId, result: 'delivered', receipt: `'"\\{},NULL\0` },
      { deliveryId: b.deliveryId, result: 'released' },
      { deliveryId: c.deliveryId, result: 'dropped' },
    ]);
    expect(await claims.claim([a, b, c])).toEqual([
      { kind: 'delivered', receipt: `'"\\{},NULL` },
      fresh,
      { kind: 'dropped' },
    ]);
    await claims.settle([]);
  });

  it.each([
    ['NUL', 'a\0b'],
    ['half a surrogate pair', 'a\ud800b'],
    ['ten thousand characters', 'x'.repeat(10_000)],
    ['a quote and a backslash', `'"\\{},NULL`],
    ['nothing', ''],
  ])('takes an id with %s, and it spoils no other claim of the batch', async (_, deliveryId) => {
    const odd = { deliveryId, round: deliveryId };
    expect(await claims.claim([aDelivery(), odd])).toEqual([fresh, fresh]);
    expect(await claims.claim([odd])).toEqual([inDoubt]);
    await claims.settle([{ deliveryId, result: 'delivered', receipt: deliveryId }]);
    expect(await claims.claim([odd])).toMatchObject([{ kind: 'delivered' }]);
  });

  it('forgets what is old, a bounded number at a time, and nothing else', async () => {
    const old = Array.from({ length: 5 }, () => aDelivery());
    const young = aDelivery();
    await claims.claim([...old, young]);
    await held.database.query(
      "UPDATE delivery.claim SET claimed_at = now() - interval '16 days' WHERE delivery_id = ANY ($1)",
      [old.map(({ deliveryId }) => deliveryId)],
    );
    expect(await claims.forget(15, 3)).toBe(3);
    expect(await claims.forget(15, 3)).toBe(2);
    expect(await claims.forget(15, 3)).toBe(0);
    expect(await claims.claim([young])).toEqual([inDoubt]);
  });
});

describe('delivery claims without their table', () => {
  const empty = withDatabase();

  it('let records wait, because nothing is wrong with them', async () => {
    const bare = new Database({
      url: empty.url,
      applicationName: 'spec',
      maxConnections: 1,
      onIdleError: () => undefined,
    });
    try {
      const failure = await new DeliveryClaims(bare).claim([aDelivery()]).catch((error: unknown) => error);
      expect(failure).toBeInstanceOf(DatabaseNotReady);
      expect(failure).toMatchObject({ retryable: true, message: /delivery\.claim.*tributary database migrate/ });
    } finally {
      await bare.close();
    }
  });
});
