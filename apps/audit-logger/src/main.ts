import { Database, Ledger, openDataKeys, type PreparedBatch } from '@tributary/persistence';
import { connectPlatform, runService, startConsumerApp } from '@tributary/runtime';
import { auditLoggerAccess } from './access.js';
import { AuditLoggerModule } from './audit-logger.module.js';
import { auditLoggerSettings } from './settings.js';
import { startTreeKeeping } from './tree-keeping.js';

const prepareEveryMs = 6 * 60 * 60 * 1000;

await runService({
  name: 'audit-logger',
  settings: auditLoggerSettings,
  start: async (context) => {
    const { settings, logger, metrics } = context;
    const platform = connectPlatform({ ...context, access: auditLoggerAccess });
    const database = new Database({
      url: settings.databaseUrl,
      applicationName: 'tributary-audit-logger',
      // Two transactions at once, and what keeps the trees and the months.
      maxConnections: 4,
      onIdleError: (error) => logger.warn({ error }, 'database.connection-lost'),
    });
    const held = openDataKeys({
      ...settings,
      keysFile: settings.ledgerKeysFile,
      applicationName: 'tributary-audit-logger',
      onIdleError: (error) => logger.warn({ error }, 'key-database.connection-lost'),
    });
    const ledger = new Ledger({ database, dataKeys: held.dataKeys });
    // The partition of the next month exists before its first row: creating it then would hold a batch back.
    const prepare = () =>
      ledger.prepare(Date.now()).catch((error: Error) => logger.warn({ error }, 'ledger.month-not-prepared'));
    await prepare();
    const preparing = setInterval(() => void prepare(), prepareEveryMs);
    const module = AuditLoggerModule.with(
      {
        codec: platform.codec,
        prepare: (entries) => ledger.prepareRows(entries),
        write: async (batches) => {
          const startedAt = performance.now();
          await ledger.writePrepared(batches as readonly PreparedBatch[]);
          metrics.record('ledger.write.duration', (performance.now() - startedAt) / 1000);
        },
        onWritten: (rows) => metrics.add('ledger.rows', rows),
      },
      settings.concurrency,
    );
    let owned = (): readonly number[] => [];
    const stopKeeping = await startTreeKeeping({ context, platform, database, partitions: () => owned() });
    return startConsumerApp(context, {
      platform,
      module,
      onServer: (server) => {
        owned = () => server.snapshot().flatMap(({ partitions }) => partitions.map(({ partition }) => partition));
      },
      closeAfter: [stopKeeping, async () => clearInterval(preparing), () => database.close(), () => held.close()],
    });
  },
});
