import { withDatabase } from '@tributary/testing';
import { describe, expect, it } from 'vitest';
import { createDataSource } from './data-source.js';
import { migrate, pendingMigrations } from './migrate.js';

describe('migrations', () => {
  const together = withDatabase();
  const twice = withDatabase();
  const guarded = withDatabase();

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

  it('guard the months that are there already against being emptied', async () => {
    const { url } = guarded;
    await migrate(url);
    const source = await createDataSource(url).initialize();
    try {
      const last = source.migrations.findIndex(({ name }) => name?.startsWith('LedgerTruncate'));
      for (let i = source.migrations.length; i > last; i--) await source.undoLastMigration();
      await source.query("SELECT ledger.ensure_month('2019-03-01T00:00:00Z')");
      await source.query('TRUNCATE ledger.audit_record');
      await source.runMigrations();
      for (const table of ['audit_record', 'audit_record_2019_03'])
        await expect(source.query(`TRUNCATE ledger.${table}`)).rejects.toThrow(/never emptied/);
    } finally {
      await source.destroy();
    }
  });
});
