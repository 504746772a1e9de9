import { egressGuard, httpClient } from '@tributary/connector-kit';
import { ConnectionDirectory } from '@tributary/control';
import type { KafkaRuntimeServer } from '@tributary/kafka';
import { realSurroundings, Suspender } from '@tributary/pipeline';
import { destinationDefinitions } from '@tributary/registry/destinations';
import { connectPlatform, openSecrets, runService, startConsumerApp } from '@tributary/runtime';
import { ConnectorModule } from './connector.module.js';
import { connectorSettings } from './settings.js';

/** Decision of the takeover wait: attempt, append and margin. */
const appendTimeoutMs = 3_000;

await runService({
  name: 'connector',
  settings: connectorSettings,
  start: async (context) => {
    const { settings, logger, metrics, actor } = context;
    const destination = destinationDefinitions.get(settings.destination);
    if (!destination) {
      const known = [...destinationDefinitions.keys()].join(', ');
      throw new Error(`DESTINATION is ${settings.destination}, and there is no such destination; there are ${known}`);
    }
    const platform = connectPlatform({
      ...context,
      name: `connector-${destination.slug}`,
      // The next owner of a partition waits that long for appends of the one before; none may come later.
      ...(settings.orderedRetries && { produceDeadlineMs: appendTimeoutMs }),
    });
    const followed = await platform.followTables(['connections', 'subscriptions', 'suspensions']);
    const { connections, subscriptions, suspensions } = followed.tables;
    const secrets = openSecrets(settings.kekFile);
    const directory = new ConnectionDirectory(
      connections,
      (row) =>
        row.destination === destination.slug ? destination : row.destination === null ? 'other-side' : undefined,
      secrets.reader,
      Date.now,
    );
    const http = httpClient({
      guard: egressGuard(settings.egressAllow),
      timeoutMs: destination.limits.timeoutMs,
    });
    const { codec, producer, audit } = platform;
    const suspender = new Suspender({
      table: suspensions,
      codec,
      writer: producer,
      audit,
      surroundings: realSurroundings,
      actor,
    });
    const module = ConnectorModule.with(
      {
        destination,
        http,
        codec,
        audit,
        find: (id) => directory.find(id),
        suspensionOf: (id) => suspensions.get(id),
        subscriptionOf: (id) => subscriptions.get(id),
        suspend: (id, tenant, reason) => suspender.suspend(id, tenant, reason),
        surroundings: realSurroundings,
        actor,
        logger,
        onAttempt: (outcome, durationMs) => {
          metrics.add('delivery.attempts', 1, { destination: destination.slug, outcome });
          metrics.record('delivery.attempt.duration', durationMs / 1000, { destination: destination.slug, outcome });
        },
      },
      {
        concurrency: settings.concurrency || destination.limits.maxInFlight,
        orderedRetries: settings.orderedRetries,
      },
    );
    metrics.observe('connections.suspended', () => [[suspensions.all().size, { destination: destination.slug }]]);
    let server: KafkaRuntimeServer | undefined;
    // Repaired, or changed: whatever waited for it looks again.
    const lookAgain = (id: string) => void server?.resumeScope(id);
    suspensions.onChange((id, row) => row === undefined && lookAgain(id));
    connections.onChange(lookAgain);
    return startConsumerApp(context, {
      platform,
      module,
      onServer: (created) => {
        server = created;
      },
      closeAfter: [() => followed.close(), () => http.close()],
    });
  },
});
