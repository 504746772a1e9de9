import { describe, expect, it } from 'vitest';
import type { CanonicalEvent } from './event.js';
import { compileFilter } from './filter.js';

const onboarded: CanonicalEvent = {
  id: 'e1',
  source: '/acme/acme-gusto',
  type: 'people.employee.onboarded',
  tenant: 'acme',
  subject: 'emp-1',
  data: { employeeId: 'emp-1', department: 'Engineering', title: null, type: 'shadowed' },
};

function verdict(expression: string) {
  const compiled = compileFilter(expression);
  if (!compiled.ok) throw new Error(compiled.reason);
  return compiled.filter(onboarded);
}

describe('filter', () => {
  it.each([
    ['event.department == "Engineering"', 'match'],
    ['data.department == "Sales"', 'no-match'],
    ['event.type.startsWith("people.")', 'match'],
    ['data.type == "shadowed"', 'match'],
    ['data.title == null', 'match'],
    ['event.subject == "emp-1" && event.tenant == "acme"', 'match'],
    ['data.nothing == 1', 'error'],
    ['data.department', 'error'],
    ['data.department > 3', 'error'],
  ])('%s: %s', (expression, kind) => expect(verdict(expression).kind).toBe(kind));

  it.each([
    ['event.x ==', /Unexpected/],
    ['', /Unexpected/],
    ['process.exit(1)', /Unknown variable/],
    ['"text"', /must be true or false/],
    ['1 + 2', /must be true or false/],
    [`event.a == "${'x'.repeat(2000)}"`, /more than 2000 characters/],
    [Array.from({ length: 400 }, () => 'true').join(' && '), /./],
  ])('refuses %.40s', (expression, reason) => {
    expect(compileFilter(expression)).toMatchObject({ ok: false, reason: expect.stringMatching(reason) });
  });
});
