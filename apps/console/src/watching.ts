import { readRecords, TopicAdmin } from '@tributary/kafka';
import {
  consumerGroups,
  DeadLetterWatch,
  deadLetterTopics,
  LagWatch,
  ProofWatch,
  proofOf,
  type Rounds,
  startRounds,
  topicsOfGroup,
} from '@tributary/operations/watch';
import { Database, DeadLetterActs } from '@tributary/persistence';
import type { Platform, ServiceContext } from '@tributary/runtime';
import type { consoleSettings } from './settings.js';

/** What the console looks at regularly, so that somebody is told: does the proof close, who waits for a person. Returns how to stop. */
export function startWatching(
  { settings, logger, metrics }: Pick<ServiceContext<typeof consoleSettings>, 'settings' | 'logger' | 'metrics'>,
  platform: Platform,
): () => Promise<void> {
  const admin = new TopicAdmin(platform.client);
  // Of its own: questions must not wait behind a proof.
  const database = new Database({
    url: settings.databaseUrl,
    applicationName: 'tributary-console-watch',
    maxConnections: 1,
    onIdleError: (error) => logger.warn({ error }, 'database.connection-lost'),
  });
  const rounds: Rounds[] = [];
  if (settings.proofSeconds > 0) {
    const watch = new ProofWatch({
      prove: (from) => proofOf({ platform, admin, database }, from),
      windowMs: settings.proofMinutes * 60_000,
      nowMs: Date.now,
      logger,
    });
    watch.observe(metrics);
    rounds.push(
      startRounds({
        everyMs: settings.proofSeconds * 1000,
        act: () => watch.round(),
        logger,
        event: 'proof.not-carried-through',
      }),
    );
  }
  if (settings.deadLetterSeconds > 0) {
    const watch = new DeadLetterWatch({
      topics: deadLetterTopics(),
      ranges: async (topic) =>
        ((await admin.offsets(topic)) ?? []).map(({ partition, low, high }) => ({
          topic,
          partition,
          from: low,
          to: high,
        })),
      read: (ranges) => readRecords({ client: platform.client, ranges }),
      acts: new DeadLetterActs(database),
      nowMs: Date.now,
    });
    watch.observe(metrics);
    rounds.push(
      startRounds({
        everyMs: settings.deadLetterSeconds * 1000,
        act: () => watch.round(),
        logger,
        event: 'dead-letters.not-counted',
      }),
    );
  }
  if (settings.lagSeconds > 0) {
    const watch = new LagWatch({
      groups: consumerGroups().map((group) => ({ group, topics: topicsOfGroup(group) })),
      admin,
    });
    watch.observe(metrics);
    rounds.push(
      startRounds({
        everyMs: settings.lagSeconds * 1000,
        act: () => watch.round(),
        logger,
        event: 'lag.not-counted',
      }),
    );
  }
  return async () => {
    await Promise.all(rounds.map((one) => one.stop()));
    await Promise.all([admin.close(), database.close()]);
  };
}
