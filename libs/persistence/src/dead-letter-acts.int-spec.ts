import { beforeAll, describe, expect, it } from 'vitest';
import { DeadLetterActs, type NewDeadLetterAct } from './dead-letter-acts.js';
import { withMigratedDatabase } from './testing/migrated-database.js';

describe('DeadLetterActs', () => {
  const held = withMigratedDatabase();
  let acts: DeadLetterActs;
  let next = 0;
  beforeAll(() => {
    acts = new DeadLetterActs(held.database);
  });

  const anAct = (over: Partial<NewDeadLetterAct> = {}): NewDeadLetterAct => ({
    deadLetter: `t.dlt/0/${next++}`,
    act: 'redriven',
    actId: 'job',
    actor: 'ada',
    reason: 'mended',
    ...over,
  });

  it('lets one of many who act at the same time go on', async () => {
    const act = anAct();
    const tries = Array.from({ length: 20 }, (_, n) => acts.claim({ ...act, actId: `job-${n}` }));
    const claims = await Promise.all(tries);
    const [winner, ...more] = claims.filter(({ isOurs }) => isOurs);
    expect(more).toEqual([]);
    const others = claims.filter((claim) => claim !== winner);
    const by = { act: 'redriven', actor: 'ada', reason: 'mended', doneAt: null };
    for (const other of others) expect(other).toMatchObject({ isOurs: false, by });
  });

  it.each(['redriven', 'discarded'] as const)('refuses everything once it was %s', async (done) => {
    const act = anAct({ act: done });
    await acts.claim(act);
    await acts.finish(act.deadLetter, act.actId);
    for (const wanted of ['redriven', 'discarded'] as const) {
      expect(await acts.claim({ ...act, act: wanted, actId: 'later' }, 0)).toMatchObject({
        isOurs: false,
        by: { act: done, actId: 'job', doneAt: expect.any(Date) },
      });
    }
  });

  it('lets an act that was left unfinished be taken up under its first id, and nothing else be done instead', async () => {
    const act = anAct();
    await acts.claim(act);
    const again = { ...act, actId: 'another', actor: 'bob' };
    expect(await acts.claim(again)).toMatchObject({ isOurs: false });
    expect(await acts.claim({ ...again, act: 'discarded' }, 0)).toMatchObject({ isOurs: false });
    expect(await acts.claim(again, 0)).toEqual({ isOurs: true, actId: 'job' });
    expect((await acts.of([act.deadLetter])).get(act.deadLetter)).toMatchObject({ actor: 'bob', doneAt: null });
  });

  it('opens what had no effect, and nothing that is done', async () => {
    const [open, done] = [anAct(), anAct()];
    for (const { deadLetter } of [open, done]) await acts.claim({ ...open, deadLetter });
    await acts.finish(done.deadLetter, 'job');
    for (const { deadLetter } of [open, done]) await acts.giveUp(deadLetter, 'job');
    expect([...(await acts.of([open.deadLetter, done.deadLetter])).keys()]).toEqual([done.deadLetter]);
  });

  it.each([
    ['nothing was done', [], 3, 10],
    ['the first was', [10], 2, 11],
    ['one in the middle was', [11], 2, 10],
    ['all but the last were', [11, 10], 1, 12],
    ['all were', [10, 11, 12], 0, undefined],
    ['what retention deleted was as well', [8, 9, 10], 2, 11],
  ])('counts what is open, and finds the first, when %s', async (name, offsets, open, firstOpen) => {
    const topic = `${name.replaceAll(' ', '-')}.v1.dlt`;
    for (const offset of offsets) {
      await acts.claim(anAct({ deadLetter: `${topic}/3/${offset}` }));
      await acts.finish(`${topic}/3/${offset}`, 'job');
    }
    // Neither is one of them.
    await acts.claim(anAct({ deadLetter: `${topic}/3/11x` }));
    await acts.claim(anAct({ deadLetter: `${topic}.other/3/12` }));
    const ranges = [
      { partition: 3, from: 10, to: 13 },
      { partition: 5, from: 7, to: 7 },
    ];
    expect(await acts.openIn(topic, ranges)).toEqual([
      { partition: 3, open, firstOpen },
      { partition: 5, open: 0, firstOpen: undefined },
    ]);
  });

  it('counts what was begun and not finished as open', async () => {
    const act = anAct({ deadLetter: 'begun.v1.dlt/0/0' });
    await acts.claim(act);
    const ranges = [{ partition: 0, from: 0, to: 1 }];
    expect(await acts.openIn('begun.v1.dlt', ranges)).toMatchObject([{ open: 1, firstOpen: 0 }]);
    await acts.finish(act.deadLetter, 'job');
    expect(await acts.openIn('begun.v1.dlt', ranges)).toMatchObject([{ open: 0 }]);
  });

  it('takes any id and reason as it is', async () => {
    const act = anAct({ deadLetter: `'; DROP TABLE x; --/${'é'.repeat(200)}`, reason: "it's %_\\ 'quoted'" });
    await acts.claim(act);
    expect((await acts.of([act.deadLetter])).get(act.deadLetter)).toMatchObject(act);
  });
});
