import { defineTopic } from '@tributary/contracts';
import { describe, expect, it } from 'vitest';
import { type BootCheck, checkSubscriptions } from './boot-check.js';

const topic = (name: string) => defineTopic({ name, records: [], key: 'any', owner: 'tests', purpose: 'A test.' });
const [a, b] = [topic('a.v1'), topic('b.v1')];
const bound = (handlerName: string, group: string, at = a) => ({ handlerName, group, topic: at });

describe('the check of subscriptions at start-up', () => {
  it('accepts one handler for each expected pair', () => {
    const check: BootCheck = {
      bound: [bound('R.handle', 'r'), bound('S.handle', 's', b)],
      expected: [
        { group: 'r', topic: a },
        { group: 's', topic: b },
      ],
      catalogue: [a, b],
    };
    expect(() => checkSubscriptions(check)).not.toThrow();
  });

  it.each<[string, BootCheck, RegExp]>([
    [
      'two handlers of one pair',
      { bound: [bound('R.one', 'r'), bound('R.two', 'r')] },
      /R\.one and R\.two both consume a\.v1 in group r: remove/,
    ],
    [
      'a topic that is not catalogued',
      { bound: [bound('R.one', 'r')], catalogue: [b] },
      /R\.one consumes a\.v1, which is not in the catalogue: add/,
    ],
    [
      'a missing handler',
      { bound: [], expected: [{ group: 'r', topic: a }] },
      /nothing consumes a\.v1 in group r: add @Consumes/,
    ],
    ['a handler too many', { bound: [bound('R.one', 'r')], expected: [] }, /R\.one consumes a\.v1 in group r.*remove/],
    [
      'a group split over handlers',
      { bound: [bound('R.one', 'r'), bound('R.two', 'r', b)] },
      /R\.one and R\.two share group r/,
    ],
  ])('refuses %s', (_, check, message) => {
    expect(() => checkSubscriptions(check)).toThrow(message);
  });
});
