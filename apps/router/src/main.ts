import { SubscriptionIndex } from '@tributary/control';
import { realSurroundings } from '@tributary/pipeline';
import { destinationSlugs } from '@tributary/registry/topics';
import { connectPlatform, runService, startConsumerApp } from '@tributary/runtime';
import { routerAccess } from './access.js';
import { RouterModule } from './router.module.js';
import { routerSettings } from './settings.js';

await runService({
  name: 'router',
  settings: routerSettings,
  start: async (context) => {
    const { settings, logger, metrics, actor } = context;
    const platform = connectPlatform({ ...context, access: routerAccess });
    const followed = await platform.followTables(['connections', 'subscriptions']);
    const { connections, subscriptions } = followed.tables;
    const index = new SubscriptionIndex((id) => {
      const row = connections.get(id);
      return row && { tenant: row.tenant, destination: row.destination };
    }, destinationSlugs);
    for (const [id, row] of subscriptions.all()) index.put(id, row);
    subscriptions.onChange((id, row) => {
      index.put(id, row);
      logger.info({ subscription: id, removed: row === undefined }, 'subscription.changed');
    });
    const module = RouterModule.with(
      {
        codec: platform.codec,
        writer: platform.producer,
        audit: platform.audit,
        subscriptions: index,
        surroundings: realSurroundings,
        actor,
        onPlanned: (destination) => metrics.add('deliveries.planned', 1, { destination }),
      },
      settings.concurrency,
    );
    return startConsumerApp(context, { platform, module, closeAfter: [() => followed.close()] });
  },
});
