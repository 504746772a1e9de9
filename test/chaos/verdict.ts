import { cloudEventHeaders as ce, topicFamilies } from '@tributary/contracts';
import { scanTopic } from '@tributary/kafka';
import type { Environment } from '../../tools/start/environment.js';
import type { LoadResult } from './load.js';

/** What a fault run counts. Everything but `repeats` and `canonicalRepeats` must be 0. */
export interface Verdict {
  /** Events answered 2xx that had no effect at the destination. */
  readonly lost: number;
  /** Effects of a key that came after a later one of that key. */
  readonly inversions: number;
  /** Events that had their effect more than once. */
  readonly duplicateEffects: number;
  /** Requests for a delivery that had its effect already; the destination drops them by webhook-id. */
  readonly repeats: number;
  /** Canonical records beyond the first of an event. */
  readonly canonicalRepeats: number;
  /** Canonical records whose id was never sent. */
  readonly strangers: number;
}

interface EffectList {
  readonly repeats: number;
  readonly list: ReadonlyArray<{ readonly id: string; readonly subject: string; readonly summary: string }>;
}

/** Compares what was sent with what the destination has and with the bus. */
export async function judge(environment: Environment, load: LoadResult, receiver: string): Promise<Verdict> {
  const answer = await fetch(`${environment.sandbox.url}/effects/${receiver}`);
  const effects = (await answer.json()) as EffectList;
  const arrived = new Map<string, string[]>();
  for (const { subject, summary } of effects.list) {
    const ids = arrived.get(subject) ?? [];
    ids.push(summary.split(' ').at(-1) ?? '');
    arrived.set(subject, ids);
  }
  const sums = { lost: 0, inversions: 0, duplicateEffects: 0 };
  for (const [key, sent] of load.sentByKey) {
    const got = arrived.get(key) ?? [];
    const distinct = new Set(got);
    sums.lost += sent.filter((id) => !distinct.has(id)).length;
    sums.duplicateEffects += got.length - distinct.size;
    sums.inversions += countInversions(got.map((id) => sent.indexOf(id)));
  }
  return { ...sums, repeats: effects.repeats, ...(await canonicalRepeats(environment, load)) };
}

export function countInversions(positions: readonly number[]): number {
  let latest = -1;
  let inversions = 0;
  for (const position of positions) {
    if (position < latest) inversions += 1;
    latest = Math.max(latest, position);
  }
  return inversions;
}

async function canonicalRepeats({ platform }: Environment, { sentByKey }: LoadResult) {
  const sent = new Set([...sentByKey.values()].flat());
  const seen = new Map<string, number>();
  await scanTopic({
    client: platform.client,
    topic: topicFamilies.events('crm').name,
    onRecord: ({ headers }) => {
      const id = headers[ce.id] ?? '';
      seen.set(id, (seen.get(id) ?? 0) + 1);
    },
  });
  const counts = [...seen].filter(([id]) => sent.has(id)).map(([, count]) => count - 1);
  return {
    canonicalRepeats: counts.reduce((sum, count) => sum + count, 0),
    strangers: [...seen.keys()].filter((id) => !sent.has(id)).length,
  };
}
