import { type Claim, type ClaimVerdict, Database, Inbox } from '@tributary/persistence';
import { ClaimBatcher, RetentionCleaner, realSurroundings } from '@tributary/pipeline';
import { sourceDefinitions } from '@tributary/registry/sources';
import { connectPlatform, runService, startConsumerApp } from '@tributary/runtime';
import { normalizerAccess } from './access.js';
import { NormalizerModule } from './normalizer.module.js';
import { normalizerSettings } from './settings.js';

await runService({
  name: 'normalizer',
  settings: normalizerSettings,
  start: async (context) => {
    const { settings, logger, metrics, actor } = context;
    const platform = connectPlatform({ ...context, access: normalizerAccess });
    const followed = await platform.followTables(['connections']);
    const database = new Database({
      url: settings.databaseUrl,
      applicationName: 'tributary-normalizer',
      maxConnections: 4,
      onIdleError: (error) => logger.warn({ error }, 'database.connection-lost'),
    });
    const inbox = new Inbox(database);
    const cleaner = new RetentionCleaner(inbox, 'inbox.claim', settings.inboxDays, logger);
    cleaner.start();
    const batcher = new ClaimBatcher<Claim, ClaimVerdict>((claims) => inbox.claim(claims));
    const module = NormalizerModule.with(
      {
        codec: platform.codec,
        writer: platform.producer,
        audit: platform.audit,
        claim: (claims) => batcher.claim(claims),
        sourceOf: (slug) => sourceDefinitions.get(slug),
        connectionOf: (id) => followed.tables.connections.get(id),
        surroundings: realSurroundings,
        actor,
        onOutcome: (source, outcome) => metrics.add('events.normalized', 1, { source, outcome }),
      },
      settings.concurrency,
    );
    return startConsumerApp(context, {
      platform,
      module,
      closeAfter: [async () => cleaner.stop(), () => followed.close(), () => database.close()],
    });
  },
});
