import { withDatabase } from '@tributary/testing';
import { describe, expect, it } from 'vitest';
import { migrate, pendingMigrations } from './migrate.js';

describe('migrations', () => {
  const together = withDatabase();
  const twice = withDatabase();

  it('run once though several services start at the same time', async () => {
    const ran = await Promise.all([migrate(together.url), migrate(together.url), migrate(together.url)]);
    expect(ran.flat().sort()).toEqual([...(await pendingMigrations(twice.url))].sort());
  });

  it('are named until they ran, and never run twice', async () => {
    const pending = await pendingMigrations(twice.url);
    expect(pending.length).toBeGreaterThan(0);
    expect(await migrate(twice.url)).toEqual(pending);
    expect(await pendingMigrations(twice.url)).toEqual([]);
    expect(await migrate(twice.url)).toEqual([]);
  });
});
