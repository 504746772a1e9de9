import type { AuditRecord } from '@tributary/contracts';
import { describe, expect, it } from 'vitest';
import { blockSize } from './block.js';
import type { ProofReport } from './report.js';
import {
  accepted,
  all,
  changeRows,
  eventsTopic,
  operated,
  planned,
  proofNow,
  query,
  rawTopic,
  settled,
  standing,
  tell,
  type World,
} from './testing/proof-world.js';

/** Three offsets before the end of a block, so that a few records fill one and begin the next. */
const first = blockSize - 3;

interface Step {
  readonly tells: readonly AuditRecord[];
  /** Ends of the topics after it. */
  readonly raw: number;
  readonly events: number;
  readonly http: number;
  readonly rawLow?: number;
  readonly eventsLow?: number;
}

const deliver = (n: number, outcome: 'delivered' | 'dead' = 'delivered', redrive?: string) =>
  settled({
    offset: first + n,
    eventId: `e${n}`,
    destination: 'http',
    outcome,
    ...(redrive && { redrive, laterMs: 9 }),
  });
const through = (n: number) => [accepted(first + n, 'normalized', [`e${n}`]), planned(first + n, `e${n}`, 'http')];

/** What can change about what was summed up before: it grows, dies, is redriven, is planned again, is forgotten by a topic. */
const steps: ReadonlyArray<readonly [string, Step]> = [
  ['two pass', { tells: [...through(0), ...through(1), deliver(0), deliver(1)], raw: 2, events: 2, http: 2 }],
  ['one waits', { tells: through(2), raw: 3, events: 3, http: 3 }],
  ['another dies in the next block', { tells: [...through(3), deliver(3, 'dead')], raw: 4, events: 4, http: 4 }],
  ['the one that waited is delivered', { tells: [deliver(2)], raw: 4, events: 4, http: 4 }],
  ['nothing', { tells: [], raw: 4, events: 4, http: 4 }],
  ['the dead one is redriven', { tells: [operated('redriven', 'e3', 'http', 5)], raw: 4, events: 4, http: 4 }],
  ['and delivered', { tells: [deliver(3, 'delivered', 'r1')], raw: 4, events: 4, http: 4 }],
  [
    'the first event is planned again, a block later',
    { tells: [planned(first + 4, 'e0', 'http')], raw: 4, events: 5, http: 4 },
  ],
  ['topics forget their beginning', { tells: [], raw: 4, events: 5, http: 4, rawLow: 1, eventsLow: 2 }],
  ['a dead raw record', { tells: [accepted(first + 4, 'dead')], raw: 5, events: 5, http: 4, rawLow: 1, eventsLow: 2 }],
  [
    'that becomes an event after all',
    {
      tells: [
        { ...accepted(first + 4, 'normalized', ['e9']), auditId: 'again', occurredAt: Date.UTC(2026, 0, 16) },
        planned(first + 5, 'e9'),
      ],
      raw: 5,
      events: 6,
      http: 4,
      rawLow: 1,
      eventsLow: 2,
    },
  ],
];

function worldAfter({ raw, events, http, rawLow = 0, eventsLow = 0 }: Step, memory?: 'use' | 'replace'): World {
  return {
    offsets: {
      [rawTopic]: all(first + raw, first + rawLow),
      [eventsTopic]: all(first + events, first + eventsLow),
      'delivery.http.v1': { partition: 0, low: first, high: first + http, committed: first },
      'delivery.slack.v1': all(0),
    },
    standing: [0, 1, 2, 3].map((n) =>
      standing({ topic: 'delivery.http.v1', offset: first + n, eventId: `e${n}`, destination: 'http' }),
    ),
    scope: { memory },
  };
}

const blocksKept = async (): Promise<string[]> =>
  (
    await query<{ name: string }>(
      "SELECT topic || ' ' || block AS name FROM ledger.proof_block WHERE topic NOT LIKE 'audit%' ORDER BY 1",
    )
  ).map(({ name }) => name);

describe('a proof that goes on from an earlier one', () => {
  it('says after every step what one that reads everything says', async () => {
    for (const [name, step] of steps) {
      await tell(step.tells);
      const everything: ProofReport = await proofNow(worldAfter(step));
      expect({ name, report: await proofNow(worldAfter(step, 'use')) }).toEqual({ name, report: everything });
      expect({ name, closes: everything.closes }).toEqual({ name, closes: true });
    }
    expect(await blocksKept()).toEqual([
      'delivery.http.v1 0',
      'delivery.http.v1 1',
      'events.people.v1 0',
      'events.people.v1 1',
      'raw.gusto.v1 0',
      'raw.gusto.v1 1',
    ]);
  });

  it('and that skipped some steps says the same', async () => {
    for (const [i, [, step]] of steps.entries()) {
      await tell(step.tells);
      if (i % 3 === 0) await proofNow(worldAfter(step, 'use'));
    }
    const [, last] = steps.at(-1) as (typeof steps)[number];
    expect(await proofNow(worldAfter(last, 'use'))).toEqual(await proofNow(worldAfter(last)));
  });

  it('reads nothing of a finished block again', async () => {
    const [, step] = steps[0] as (typeof steps)[number];
    await tell([...step.tells, accepted(first + 2, 'filtered')]);
    const world = worldAfter({ ...step, raw: 3 }, 'use');
    const before = await proofNow(world);
    // Only a proof that reads it again could notice.
    await changeRows("UPDATE ledger.audit_record SET outcome = 'dead' WHERE action = 'accepted'");
    expect(await proofNow(world)).toEqual(before);
    const full = worldAfter({ ...step, raw: 3 }, 'replace');
    expect((await proofNow(full)).sources).toMatchObject([{ dead: 3 }]);
    expect((await proofNow(world)).sources).toMatchObject([{ dead: 3 }]);
  });

  it('names a row that was taken out of a finished block', async () => {
    const [, step] = steps[0] as (typeof steps)[number];
    // So that the rows fill a block of the audit topic, and it is kept.
    await tell(Array.from({ length: blockSize }, (_, n) => accepted(n, 'filtered')));
    await tell(step.tells);
    const world = worldAfter(step, 'use');
    expect((await proofNow(world)).closes).toBe(true);
    await changeRows('DELETE FROM ledger.audit_record WHERE audit_offset = 77');
    const { closes, findings } = await proofNow(world);
    expect(closes).toBe(false);
    expect(findings).toMatchObject([{ where: 'ledger', what: expect.stringMatching(/offset 77: the row is missing/) }]);
    expect((await proofNow(world)).closes).toBe(false);
  });

  it('remembers nothing that does not close', async () => {
    const [, step] = steps[0] as (typeof steps)[number];
    await tell(step.tells.slice(1));
    expect((await proofNow(worldAfter(step, 'use'))).closes).toBe(false);
    expect(await blocksKept()).toEqual([]);
  });

  it('keeps what the later of two that ran at once remembers', async () => {
    const [, step] = steps[0] as (typeof steps)[number];
    await tell(step.tells);
    await Promise.all([proofNow(worldAfter(step, 'use')), proofNow(worldAfter(step, 'use'))]);
    expect(await query('SELECT version::int FROM ledger.proof_mark')).toEqual([{ version: 1 }]);
  });
});
