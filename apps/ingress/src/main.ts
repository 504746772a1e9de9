import { NestFactory } from '@nestjs/core';
import { FastifyAdapter, type NestFastifyApplication } from '@nestjs/platform-fastify';
import { topicFamilies } from '@tributary/contracts';
import { ConnectionDirectory } from '@tributary/control';
import { PublishReceiver, RejectionLog, RequestBudget, WebhookReceiver } from '@tributary/pipeline';
import { sourceDefinitions } from '@tributary/registry/sources';
import { connectPlatform, type Health, nestLogger, openSecrets, runService, serverErrors } from '@tributary/runtime';
import { ingressAccess } from './access.js';
import { addRoutes } from './http-server.js';
import { IngressModule } from './ingress.module.js';
import { ingressSettings } from './settings.js';

/** Webhooks come one by one: without it each would be a request at the broker. */
const produceSpacingMs = 10;

await runService({
  name: 'ingress',
  settings: ingressSettings,
  start: async (context) => {
    const { settings, logger, metrics, actor } = context;
    const platform = connectPlatform({
      ...context,
      access: ingressAccess,
      produceDeadlineMs: settings.produceDeadlineMs,
      produceSpacingMs,
    });
    const secrets = openSecrets(settings.kekFile);
    const followed = await platform.followTables(['connections', 'apiKeys']);
    const { connections, apiKeys } = followed.tables;
    const rejections = new RejectionLog({
      audit: platform.audit,
      actor,
      nowMs: Date.now,
      onLost: (rejection, error) => logger.warn({ rejection, error }, 'rejection.not-recorded'),
    });
    const directory = new ConnectionDirectory(
      connections,
      (row) => (row.source === null ? 'other-side' : sourceDefinitions.get(row.source)),
      secrets.reader,
      Date.now,
    );
    const { codec, producer: writer } = platform;
    const onRejection = rejections.note.bind(rejections);
    const seal = secrets.key && ((plain: string) => secrets.key?.seal(plain) ?? plain);
    const app = await NestFactory.create<NestFastifyApplication>(
      IngressModule.with(
        {
          find: (id) => directory.find(id),
          codec,
          writer,
          budget: new RequestBudget(settings.connectionRate, Date.now),
          onRejection,
          seal,
        },
        {
          apiKeyOf: (id) => apiKeys.get(id),
          codec,
          writer,
          budget: new RequestBudget(settings.connectionRate, Date.now),
          onRejection,
        },
      ),
      new FastifyAdapter({
        bodyLimit: settings.bodyLimitBytes,
        requestTimeout: 30_000,
        keepAliveTimeout: 65_000,
        ...serverErrors,
      }),
      { bodyParser: false, logger: nestLogger(logger), abortOnError: false },
    );
    // The first webhook after a start must not wait for the registry.
    const warmed = [...sourceDefinitions.keys()].map((slug) => topicFamilies.raw(slug).name);
    await Promise.all(warmed.map((topic) => warm(topic)));

    async function warm(topic: string): Promise<void> {
      await codec
        .encode(topic, 'tributary.raw.RawRecord', {})
        .catch((error: Error) => logger.warn({ topic, error }, 'schema.not-warmed'));
    }

    return {
      whyNotReady: () => (platform.producer.isUp ? [] : ['Kafka does not take records']),
      serveHealth: async (health: Health) => {
        await addRoutes(app.getHttpAdapter().getInstance(), {
          webhooks: app.get(WebhookReceiver),
          publish: app.get(PublishReceiver),
          health,
          metrics,
          logger,
        });
        await app.listen(settings.port, settings.host);
        return { port: Number(new URL(await app.getUrl()).port) };
      },
      stop: async () => {
        // Stops taking connections and lets open requests finish; each is answered within its deadline.
        await app.close();
        await followed.close();
        await platform.close();
      },
    };
  },
});
