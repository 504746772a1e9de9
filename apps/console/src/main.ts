import { NestFactory } from '@nestjs/core';
import { FastifyAdapter, type NestFastifyApplication } from '@nestjs/platform-fastify';
import { AuditApi, AuditReader } from '@tributary/operations/audit';
import { Database, LedgerView, openDataKeys, PersonalReader, subjectIndexOf } from '@tributary/persistence';
import { RequestBudget } from '@tributary/pipeline';
import { connectPlatform, type Health, nestLogger, runService, serverErrors } from '@tributary/runtime';
import { consoleAccess } from './access.js';
import { ConsoleModule } from './console.module.js';
import { addRoutes } from './http-server.js';
import { consoleSettings } from './settings.js';
import { startWatching } from './watching.js';

/** Questions come without a body. */
const largestBodyBytes = 1_024;

await runService({
  name: 'console',
  settings: consoleSettings,
  start: async (context) => {
    const { settings, logger, metrics } = context;
    // Who waits for an answer waits for its record too, and not for long.
    const platform = connectPlatform({ ...context, access: consoleAccess, produceDeadlineMs: 5_000 });
    const followed = await platform.followTables(['apiKeys']);
    const { apiKeys } = followed.tables;
    const applicationName = 'tributary-console';
    const database = new Database({
      url: settings.databaseUrl,
      applicationName,
      maxConnections: settings.connections,
      onIdleError: (error) => logger.warn({ error }, 'database.connection-lost'),
    });
    const held =
      settings.ledgerKeysFile === undefined
        ? undefined
        : openDataKeys({
            ...settings,
            keysFile: settings.ledgerKeysFile,
            applicationName,
            onIdleError: (error) => logger.warn({ error }, 'key-database.connection-lost'),
          });
    const reader = new AuditReader({
      view: new LedgerView(database),
      ...(held && {
        keys: {
          personal: new PersonalReader(held.dataKeys),
          indexOfSubject: (tenant, subject) => subjectIndexOf(held.keys, tenant, subject),
        },
      }),
    });
    const budget = new RequestBudget(settings.keyRate, Date.now);
    const app = await NestFactory.create<NestFastifyApplication>(
      ConsoleModule.with({
        apiKeyOf: (id) => apiKeys.get(id),
        reader,
        budget,
        tell: (record) => platform.audit.write(record),
        nowMs: Date.now,
      }),
      new FastifyAdapter({ bodyLimit: largestBodyBytes, requestTimeout: 30_000, ...serverErrors }),
      { bodyParser: false, logger: nestLogger(logger), abortOnError: false },
    );
    const stopWatching = startWatching(context, platform);
    return {
      whyNotReady: () => [],
      serveHealth: async (health: Health) => {
        addRoutes(app.getHttpAdapter().getInstance(), { audit: app.get(AuditApi), health, metrics, logger });
        await app.listen(settings.port, settings.host);
        return { port: Number(new URL(await app.getUrl()).port) };
      },
      stop: async () => {
        await app.close();
        await stopWatching();
        await followed.close();
        await Promise.all([platform.close(), database.close(), held?.close()]);
      },
    };
  },
});
