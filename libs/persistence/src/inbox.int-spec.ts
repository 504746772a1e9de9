import { InfrastructureUnavailable } from '@tributary/domain';
import { withDatabase } from '@tributary/testing';
import fc from 'fast-check';
import { beforeAll, describe, expect, it } from 'vitest';
import { Database } from './database.js';
import { DatabaseNotReady } from './database-errors.js';
import { type Claim, Inbox } from './inbox.js';
import { withMigratedDatabase } from './testing/migrated-database.js';

const held = withMigratedDatabase();
let inbox: Inbox;

beforeAll(() => {
  inbox = new Inbox(held.database);
});

let nextOffset = 0n;
const aClaim = (eventId: string, over: Partial<Claim> = {}): Claim => ({
  eventSource: '/acme/in',
  eventId,
  raw: { topic: 'raw.gusto.v1', partition: 0, offset: nextOffset++ },
  ...over,
});

describe('Inbox', () => {
  it('gives an event to the first record that brings it', async () => {
    const first = aClaim('first');
    expect(await inbox.claim([first])).toEqual(['own']);
    expect(await inbox.claim([aClaim('first'), aClaim('second')])).toEqual(['duplicate', 'own']);
  });

  it('knows a record that comes again after a crash', async () => {
    const claim = aClaim('crashed');
    expect(await inbox.claim([claim])).toEqual(['own']);
    expect(await inbox.claim([{ ...claim }])).toEqual(['own']);
    const moved = { ...claim, raw: { ...claim.raw, partition: 1 } };
    expect(await inbox.claim([moved])).toEqual(['duplicate']);
  });

  it('tells one source from another though they use the same ids', async () => {
    expect(await inbox.claim([aClaim('shared'), aClaim('shared', { eventSource: '/acme/other' })])).toEqual([
      'own',
      'own',
    ]);
  });

  it('gives an event that two records of one batch bring to exactly one of them', async () => {
    const verdicts = await inbox.claim([aClaim('both'), aClaim('both')]);
    expect(verdicts.sort()).toEqual(['duplicate', 'own']);
  });

  it('has exactly one owner for each event when many connections claim the same at once', async () => {
    const ids = Array.from({ length: 200 }, (_, i) => `contended-${i}`);
    // Each in an order of its own, which would deadlock if locks were taken in that order.
    const batches = Array.from({ length: 8 }, (_, n) => {
      const turned = [...ids.slice(n * 25), ...ids.slice(0, n * 25)];
      return (n % 2 === 0 ? turned : turned.reverse()).map((id) => aClaim(id));
    });
    const verdicts = await Promise.all(batches.map((batch) => inbox.claim(batch)));
    const owned = batches.flatMap((batch, n) => batch.filter((_, i) => verdicts[n]?.[i] === 'own'));
    expect(owned.map(({ eventId }) => eventId).sort()).toEqual([...ids].sort());
    // And each keeps what it owns.
    const again = await Promise.all(batches.map((batch) => inbox.claim(batch)));
    expect(again).toEqual(verdicts);
  });

  it.each([
    ['NUL', 'a\0b'],
    ['half a surrogate pair', 'a\ud800b'],
    [
      'ten thousand random characters',
      Array.from({ length: 10_000 }, (_, i) => String.fromCodePoint(0x4e00 + ((i * 7919) % 20_000))).join(''),
    ],
    ['a quote and a backslash', `'"\\{},NULL`],
    ['nothing', ''],
  ])('takes an id with %s, and it spoils no other claim of the batch', async (_, eventId) => {
    const odd = aClaim(eventId, { eventSource: `/odd${eventId}` });
    const batch = [aClaim(`beside ${nextOffset}`), odd];
    expect(await inbox.claim(batch)).toEqual(['own', 'own']);
    expect(await inbox.claim([{ ...odd, raw: { ...odd.raw, offset: nextOffset++ } }])).toEqual(['duplicate']);
    expect(await inbox.claim([odd])).toEqual(['own']);
  });

  it('judges any text the same way twice', async () => {
    await fc.assert(
      fc.asyncProperty(fc.string({ unit: 'binary', maxLength: 40 }), async (text) => {
        const claim = aClaim(text, { eventSource: `/property/${nextOffset}` });
        const other = { ...claim, raw: { ...claim.raw, offset: nextOffset++ } };
        expect(await inbox.claim([claim])).toEqual(['own']);
        expect(await inbox.claim([other, claim])).toEqual(['duplicate', 'own']);
      }),
      { numRuns: 50 },
    );
  });

  it('forgets what is old, a bounded number at a time, and nothing else', async () => {
    await inbox.claim(Array.from({ length: 5 }, (_, i) => aClaim(`old-${i}`)));
    await inbox.claim([aClaim('young')]);
    await held.database.query(
      "UPDATE inbox.claim SET claimed_at = now() - interval '31 days' WHERE event_id LIKE 'old-%'",
    );
    expect(await inbox.forget(30, 3)).toBe(3);
    expect(await inbox.forget(30, 3)).toBe(2);
    expect(await inbox.forget(30, 3)).toBe(0);
    expect(await inbox.claim([aClaim('young'), aClaim('old-0')])).toEqual(['duplicate', 'own']);
  });
});

describe('an inbox without its table', () => {
  const empty = withDatabase();

  it('lets records wait, because nothing is wrong with them', async () => {
    const bare = new Database({
      url: empty.url,
      applicationName: 'spec',
      maxConnections: 1,
      onIdleError: () => undefined,
    });
    try {
      const failure = await new Inbox(bare).claim([aClaim('waits')]).catch((error: unknown) => error);
      expect(failure).toBeInstanceOf(DatabaseNotReady);
      expect(failure).toMatchObject({ retryable: true, message: /inbox\.claim.*tributary database migrate/ });
    } finally {
      await bare.close();
    }
    const closed = await new Inbox(bare).claim([aClaim('waits')]).catch((error: unknown) => error);
    expect(closed).toBeInstanceOf(InfrastructureUnavailable);
  });
});
