import { Database, Ledger } from '@tributary/persistence';
import { connectPlatform, runService, startConsumerApp } from '@tributary/runtime';
import { AuditLoggerModule } from './audit-logger.module.js';
import { auditLoggerSettings } from './settings.js';

await runService({
  name: 'audit-logger',
  settings: auditLoggerSettings,
  start: async (context) => {
    const { settings, logger, metrics } = context;
    const platform = connectPlatform(context);
    const database = new Database({
      url: settings.databaseUrl,
      applicationName: 'tributary-audit-logger',
      maxConnections: 2,
      onIdleError: (error) => logger.warn({ error }, 'database.connection-lost'),
    });
    const ledger = new Ledger(database);
    const module = AuditLoggerModule.with(
      {
        codec: platform.codec,
        write: (entries) => ledger.write(entries),
        onWritten: (rows) => metrics.add('ledger.rows', rows),
      },
      settings.concurrency,
    );
    return startConsumerApp(context, { platform, module, closeAfter: [() => database.close()] });
  },
});
