import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { histories, play } from '../../testing/retry-histories.js';
import type { WorldOptions } from '../../testing/world-member.js';
import type { PlantedBug } from './retry-rules.js';

/** How many histories a planted bug may take to be found. */
const huntedRuns = 10_000;
/** More histories, or others: `RUNS=20000 SEED=7 vitest run --project unit ordered-retry`. */
const numRuns = Number(process.env.RUNS ?? 500);
const seed = Number(process.env.SEED ?? 20_261_122);

const replay = `RUNS=${numRuns} SEED=${seed} vitest run --project unit ordered-retry`;

type Profile = keyof typeof histories;

async function hold(profile: Profile, options: WorldOptions): Promise<{ parked: number }> {
  const seen = { parked: 0 };
  await fc.assert(
    fc.asyncProperty(histories[profile], async (history) => {
      const world = await play(history, options);
      seen.parked += world.parked;
      if (world.complaints.length > 0)
        throw new Error(`${world.complaints.join('\n')}\n\n${world.trace.join('\n')}\n\nreplay: ${replay}`);
    }),
    { numRuns, seed },
  );
  return seen;
}

async function complaintsOf(profile: Profile, options: WorldOptions): Promise<string[]> {
  const found: string[] = [];
  await fc.check(
    fc.asyncProperty(histories[profile], async (history) => {
      const { complaints } = await play(history, options);
      found.push(...complaints);
      return complaints.length === 0;
    }),
    { numRuns: huntedRuns, seed, endOnFailure: true },
  );
  return found;
}

describe('ordered retry, simulated', () => {
  it.each<[Profile, WorldOptions]>([
    ['plain', { fence: 'cross' }],
    ['crowded', { fence: 'cross' }],
    ['plain', { fence: 'lane' }],
    ['crowded', { fence: 'lane' }],
    ['crowded', { ordering: 'none' }],
    ['plain', { fence: 'cross', partitions: 2 }],
    ['crowded', { fence: 'lane', partitions: 2 }],
    ['crowded', { fence: 'cross', places: 1 }],
    ['crowded', { fence: 'lane', places: 2, partitions: 2 }],
    ['deadly', { fence: 'cross', holds: true }],
    ['deadly', { fence: 'lane', holds: true, partitions: 2 }],
  ])('keeps every promise whatever happens: %s, %o', { timeout: 120_000 }, async (profile, options) => {
    const { parked } = await hold(profile, options);
    expect(parked).toBeGreaterThan(numRuns / 2);
  });

  it.each<[PlantedBug, Profile, 'cross' | 'lane', RegExp]>([
    ['no-chain-gate', 'plain', 'lane', /twice|repeat|stale end|order/],
    ['no-fence', 'plain', 'cross', /stale end/],
    ['no-ghosts', 'plain', 'cross', /twice|order|stale end/],
    ['early-main', 'plain', 'cross', /order|lost|twice/],
    ['stale-pauses', 'crowded', 'cross', /stuck/],
    ['drop-below', 'crowded', 'cross', /beyond|lost/],
    ['attempt-again', 'plain', 'cross', /stale end|order|twice/],
    ['no-ack', 'plain', 'cross', /beyond|lost|order/],
    ['lock-when-fetched', 'plain', 'cross', /order|lost/],
    ['commit-one-too-far', 'plain', 'cross', /beyond|lost|stuck/],
    ['join-unsaid', 'plain', 'cross', /waits for itself|twice/],
    ['due-forgotten', 'plain', 'cross', /early/],
    ['own-gate', 'crowded', 'cross', /order|stale end/],
    ['own-gate-ghost', 'crowded', 'cross', /order|stale end/],
    ['late-gate', 'plain', 'lane', /twice|repeat|stale end|order/],
    ['map-lost', 'plain', 'cross', /stale end|twice/],
    ['ends-first', 'plain', 'cross', /order|lost|stale end/],
    ['state-kept', 'plain', 'cross', /stale end|lost|order|twice|early/],
    ['hold-forgotten', 'deadly', 'cross', /order/],
    ['redrive-count-ignored', 'deadly', 'cross', /order|stuck|lost|stale end/],
  ])('finds the planted bug %s', { timeout: 60_000 }, async (plantedBug, profile, fence, complaint) => {
    const complaints = await complaintsOf(profile, { plantedBug, fence, holds: profile === 'deadly' });
    expect(complaints.join('\n')).toMatch(complaint);
  });
});
