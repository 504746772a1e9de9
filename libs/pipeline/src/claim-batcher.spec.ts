import type { Claim, ClaimVerdict } from '@tributary/persistence';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { ClaimBatcher } from './claim-batcher.js';
import { anotherTurn } from './testing/another-turn.js';

const aClaim = (eventId: string): Claim => ({
  eventSource: '/acme/in',
  eventId,
  raw: { topic: 'raw.test.v1', partition: 0, offset: 0n },
});
const verdictOf = ({ eventId }: Claim): ClaimVerdict => (eventId.endsWith('!') ? 'duplicate' : 'own');

describe('ClaimBatcher', () => {
  it('gives every claim its own verdict, however they are gathered', async () => {
    await fc.assert(
      fc.asyncProperty(fc.array(fc.array(fc.string(), { maxLength: 700 }), { maxLength: 30 }), async (asked) => {
        let running = 0;
        let most = 0;
        const batcher = new ClaimBatcher<Claim, ClaimVerdict>(async (claims) => {
          most = Math.max(most, ++running);
          await anotherTurn();
          running -= 1;
          return claims.map(verdictOf);
        });
        const verdicts = await Promise.all(asked.map((ids) => batcher.claim(ids.map(aClaim))));
        expect(verdicts).toEqual(asked.map((ids) => ids.map((id) => verdictOf(aClaim(id)))));
        expect(most).toBeLessThanOrEqual(2);
      }),
      { numRuns: 50 },
    );
  });

  it('asks once for what comes together, and not at all for nothing', async () => {
    const asked: number[] = [];
    const batcher = new ClaimBatcher<Claim, ClaimVerdict>(async (claims) => {
      asked.push(claims.length);
      return claims.map(verdictOf);
    });
    expect(await batcher.claim([])).toEqual([]);
    await Promise.all(Array.from({ length: 50 }, (_, i) => batcher.claim([aClaim(String(i))])));
    expect(asked).toEqual([50]);
  });

  it('fails those of a failed batch, and goes on', async () => {
    let fails = true;
    const batcher = new ClaimBatcher<Claim, ClaimVerdict>(async (claims) => {
      if (fails) throw new Error('away');
      return claims.map(verdictOf);
    });
    const failed = await Promise.allSettled([batcher.claim([aClaim('a')]), batcher.claim([aClaim('b')])]);
    expect(failed.map(({ status }) => status)).toEqual(['rejected', 'rejected']);
    fails = false;
    expect(await batcher.claim([aClaim('a')])).toEqual(['own']);
  });
});
