import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { findRefusedLicences, isAllowed, productionPackages } from './licences.js';

describe('licences of what is shipped', () => {
  const packages = productionPackages(join(import.meta.dirname, '../..'));

  it('are all on the list', () => {
    expect(findRefusedLicences(packages)).toEqual([]);
  });

  it('are looked at in every package that a service needs, and in none that only tests need', () => {
    const paths = packages.map(({ path }) => path);
    expect(paths).toEqual(expect.arrayContaining(['node_modules/pg', 'node_modules/kafkajs', 'node_modules/fastify']));
    expect(paths).not.toContain('node_modules/vitest');
  });

  it.each(['MIT', '(MIT OR GPL-3.0-only)', 'MIT OR Apache-2.0', 'MIT AND ISC', '(Apache-2.0)'])(
    '%s is taken',
    (one) => {
      expect(isAllowed(one)).toBe(true);
    },
  );

  it.each([
    'AGPL-3.0-only',
    'SSPL-1.0',
    'BUSL-1.1',
    'Elastic-2.0',
    'GPL-3.0-or-later',
    'MIT AND GPL-3.0-only',
    'SEE LICENSE IN LICENSE.md',
    'UNLICENSED',
    'mit',
    '(MIT OR GPL-2.0-only) AND SSPL-1.0',
    '',
  ])('%j is refused, with what to do', (licence) => {
    expect(findRefusedLicences([{ path: 'node_modules/acme', licence }])).toEqual([
      { where: 'node_modules/acme', what: expect.stringMatching(/allowed are .*replace the package/) },
    ]);
  });

  it('that nobody says are refused', () => {
    const [problem] = findRefusedLicences([{ path: 'node_modules/acme', licence: undefined }]);
    expect(problem?.what).toContain('its licence is not said');
  });
});
