import type { DestinationDefinition } from '@tributary/connector-kit';
import type { DeliveryClaim, DeliveryClaimResult, DeliveryClaimState } from '@tributary/persistence';
import { ClaimBatcher, type ClaimsPort, RetentionCleaner } from '@tributary/pipeline';
import type { Logger } from '@tributary/telemetry';

export interface OpenClaims {
  readonly claims: ClaimsPort;
  close(): Promise<void>;
}

export interface OpenClaimsOptions {
  readonly destination: DestinationDefinition;
  readonly databaseUrl: string | undefined;
  readonly claimDays: number;
  readonly logger: Logger;
}

/** Undefined for a destination that drops repeats: its connector works without PostgreSQL. */
export async function openClaims(options: OpenClaimsOptions): Promise<OpenClaims | undefined> {
  const { destination, databaseUrl, claimDays, logger } = options;
  if (destination.promises.idempotency === 'key') return undefined;
  if (databaseUrl === undefined) {
    throw new Error(
      `DATABASE_URL is missing: ${destination.slug} does not drop repeats, so its connector writes down what it is about to send`,
    );
  }
  // Loaded where it is needed: most connectors have no use for a database client.
  const { Database, DeliveryClaims } = await import('@tributary/persistence');
  const database = new Database({
    url: databaseUrl,
    applicationName: `tributary-connector-${destination.slug}`,
    maxConnections: 4,
    onIdleError: (error) => logger.warn({ error }, 'database.connection-lost'),
  });
  const table = new DeliveryClaims(database);
  const cleaner = new RetentionCleaner(table, 'delivery.claim', claimDays, logger);
  cleaner.start();
  const claiming = new ClaimBatcher<DeliveryClaim, DeliveryClaimState>((claims) => table.claim(claims));
  const settling = new ClaimBatcher<DeliveryClaimResult, true>(async (results) => {
    await table.settle(results);
    return results.map(() => true);
  });
  return {
    claims: {
      claim: async (claim) => (await claiming.claim([claim]))[0] as DeliveryClaimState,
      settle: async (result) => void (await settling.claim([result])),
    },
    close: async () => {
      cleaner.stop();
      await database.close();
    },
  };
}
