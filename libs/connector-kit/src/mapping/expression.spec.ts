import { describe, expect, it } from 'vitest';
import { compileExpression, expressionLimits, MappingProblem } from './expression.js';

const event = { id: 'e1', type: 'people.employee.onboarded', data: { firstName: 'Ada', tags: ['a', 'b'], note: null } };
const evaluate = async (source: string, input: unknown = event) => compileExpression(source).evaluate(input);

describe('a mapping expression', () => {
  it.each([
    ["'Welcome ' & data.firstName", 'Welcome Ada'],
    ['data.tags', ['a', 'b']],
    ["$join(data.tags, ', ')", 'a, b'],
    ["{ 'who': data.firstName }", { who: 'Ada' }],
    ['data.nothing', undefined],
    ['data.note', null],
    ["$pad('7', -3, '0')", '007'],
    ["$toMillis('1970-01-01T00:00:01Z')", 1000],
    ["data.firstName = 'Ada' ? 'yes' : 'no'", 'yes'],
    ['$map([1..3], function($n) { $n * 2 })', [2, 4, 6]],
    ["$replace(data.firstName, 'A', 'a')", 'ada'],
  ])('gives the value of %s', async (source, value) => {
    expect(await evaluate(source)).toEqual(value);
  });

  it.each([
    ['what is no JSONata', 'data.(', /is not JSONata/],
    ['a regular expression', '$match(data.firstName, /(a+)+$/)', /regular expression/],
    ['a regular expression deep inside', "{ 'a': [ data.tags[$contains($, /a/)] ] }", /regular expression/],
    ['more characters than allowed', `'${'x'.repeat(expressionLimits.characters)}'`, /longer than/],
  ])('is refused before any event when it has %s', (_name, source, message) => {
    expect(() => compileExpression(source)).toThrow(message);
    expect(() => compileExpression(source)).toThrow(MappingProblem);
  });

  it.each([
    ['runs code from the event', "$eval('1+1')", /not allowed/],
    ['runs code by another name', "($f := $eval; $f('1+1'))", /not allowed/],
    ['asks for the time', '$now()', /not allowed/],
    ['asks for the time in milliseconds', '$millis()', /not allowed/],
    ['asks for chance', '$random()', /not allowed/],
    ['shuffles', '$shuffle(data.tags)', /not allowed/],
    ['never ends', '($f := function($n) { $f($n + 1) }; $f(0))', /./],
    ['recurses without tail calls', '($f := function($n) { 1 + $f($n + 1) }; $f(0))', /./],
    ['makes a list without end', '[1..10000000]', /./],
    ['multiplies lists', '$map([1..900], function($a) { $map([1..900], function($b) { $a * $b }) })', /./],
    [
      'doubles a text again and again',
      `(${'$s := $s & $s; '.replace('$s & $s', "'xxxxxxxx'")}${'$s := $s & $s; '.repeat(40)}$s)`,
      /./,
    ],
    ['pads without end', "$pad('x', 1000000000)", /too long/],
    ['parses a time by a picture', "$toMillis('aaaa', '[Y]')", /picture/],
    ['gives a function', 'function($x) { $x }', /function/],
    ['gives a function inside a value', "{ 'f': $sum }", /function/],
    ['sums a text', "$sum('x')", /failed/],
  ])('fails, and says so, when it %s', async (_name, source, message) => {
    await expect(evaluate(source)).rejects.toThrow(message);
    await expect(evaluate(source)).rejects.toThrow(MappingProblem);
  });

  it('does not change the event', async () => {
    const frozen = structuredClone(event);
    await evaluate("$ ~> |data|{'firstName': 'Eve'}|", frozen);
    expect(frozen).toEqual(event);
  });

  it('keeps the limits of evaluations that run at once apart', async () => {
    const expression = compileExpression('$map([1..500], function($n) { $n + 1 })');
    const results = await Promise.all(Array.from({ length: 20 }, () => expression.evaluate({})));
    for (const result of results) expect(result).toHaveLength(500);
  });

  it.each(['__proto__', 'constructor', 'data.constructor', 'data.__proto__.polluted', '$lookup(data, "constructor")'])(
    'gets nothing of the machine through %s',
    async (source) => {
      const value = await evaluate(source).catch((error: unknown) => error);
      if (!(value instanceof MappingProblem)) expect([undefined, null]).toContain(value as undefined);
      expect(Object.hasOwn(Object.prototype, 'polluted')).toBe(false);
    },
  );
});
