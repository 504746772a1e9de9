import { egressGuard, httpClient } from '@tributary/connector-kit';
import { activeSuspension, ConnectionDirectory } from '@tributary/control';
import type { KafkaRuntimeServer } from '@tributary/kafka';
import { ConnectionGates, DeliveryScopes, realSurroundings, Suspender, SuspensionEnds } from '@tributary/pipeline';
import { destinationDefinitions } from '@tributary/registry/destinations';
import { connectPlatform, openSecrets, runService, startConsumerApp } from '@tributary/runtime';
import { connectorAccess } from './access.js';
import { concurrencyOf, limitsFor } from './connection-limits.js';
import { ConnectorModule } from './connector.module.js';
import { deliveryObserver, observeConnections } from './connector-metrics.js';
import { onDeadFor } from './on-dead.js';
import { openClaims } from './open-claims.js';
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
      access: connectorAccess(destination.slug),
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
    const find = (id: string) => directory.find(id);
    const subscriptionOf = (id: string) => subscriptions.get(id);
    const concurrency = concurrencyOf(destination, settings.concurrency);
    const scopes = new DeliveryScopes({ destination, find, subscriptionOf });
    const gates = new ConnectionGates({
      limitsOf: limitsFor(destination, concurrency, find),
      scopeOf: (record) => scopes.scopeOf(record),
      random: realSurroundings.random,
      onBreaker: (connection, untilMs) =>
        untilMs === undefined
          ? logger.info({ connection }, 'breaker.closed')
          : logger.warn({ connection, untilMs }, 'breaker.opened'),
    });
    const claims = await openClaims({ ...settings, destination, logger });
    const module = ConnectorModule.with(
      {
        destination,
        http,
        codec,
        audit,
        find,
        findAnew: (id) => directory.findAnew(id),
        gates,
        ...(claims && { claims: claims.claims }),
        suspensionOf: (id) => activeSuspension(suspensions.get(id), Date.now()),
        subscriptionOf,
        suspend: (id, tenant, reason, untilMs) => suspender.suspend(id, tenant, reason, untilMs),
        surroundings: realSurroundings,
        actor,
        logger,
        ...deliveryObserver(metrics, destination.slug),
      },
      { concurrency, scopes, gates, onDead: onDeadFor(destination, find), orderedRetries: settings.orderedRetries },
    );
    observeConnections(metrics, {
      destination: destination.slug,
      suspensions: () => suspensions.all(),
      destinationOf: (id) => connections.get(id)?.destination,
      budgets: (most) => gates.leastBudgets(most, Date.now()),
      nowMs: Date.now,
    });
    let server: KafkaRuntimeServer | undefined;
    const resume = (id: string) => server?.resumeScope(id) ?? false;
    const ends = new SuspensionEnds({
      table: suspensions,
      nowMs: Date.now,
      after: (ms, act) => {
        const timer = setTimeout(act, ms);
        return () => clearTimeout(timer);
      },
      resume,
      clear: (row) => suspender.clear(row),
      logger,
    });
    // Changed: whatever waited for it looks again.
    connections.onChange(resume);
    return startConsumerApp(context, {
      platform,
      module,
      onServer: (created) => {
        server = created;
      },
      closeAfter: [async () => ends.stop(), () => followed.close(), () => http.close(), async () => claims?.close()],
    });
  },
});
