/**
 * The owner after a crash waits until the former one can no longer act, then opens the partition. As long as nothing was read from
 * it then, its last commit was left out, because there was nothing new to say; but it was the only one who could say that nobody
 * acts. So each owner after a clean stop or a rejoin, itself included, waited as after a crash, and a record that came meanwhile
 * waited with it. Found by the simulation, as `waits for itself`.
 */
import { describe, expect, it } from 'vitest';
import { delivered, type Scene, scene } from './testing/scene.js';

/** Longer than the takeover wait of a member that crashed. */
const takenOverMs = 30_000;

async function idleAfterCrash(): Promise<Scene> {
  const at = await scene({ handler: async () => delivered });
  at.append('a', 'before');
  await at.run(1_000);
  await at.crash([0]);
  await at.run(takenOverMs);
  return at;
}

describe('a partition from which nothing was read since its owner crashed', () => {
  it.each<[string, (at: Scene) => Promise<void>]>([
    ['another member after a clean stop', (at) => at.handOver([0])],
    ['the same client, when its session broke', (at) => at.join([0], true)],
    ['the same member, when it missed a generation', (at) => at.join([0], false)],
  ])('is opened at once by %s', async (_, change) => {
    const at = await idleAfterCrash();
    await change(at);
    at.append('a', 'after');
    await at.run(1_000);
    expect(at.values).toEqual(['before', 'after']);
  });
});
