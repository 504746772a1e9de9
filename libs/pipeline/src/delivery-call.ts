import {
  type Attempted,
  type DestinationConnection,
  type DestinationDefinition,
  deliver,
  type HttpClient,
} from '@tributary/connector-kit';
import type { ConnectionLookup, UsableConnection } from '@tributary/control';
import { type CanonicalEvent, type DeliveryOutcome, PlatformError } from '@tributary/domain';
import type { Attempt } from '@tributary/kafka';
import type { DeliveryClaim, DeliveryClaimResult, DeliveryClaimState } from '@tributary/persistence';
import type { DeliveryAttributes } from './event-headers.js';

/** Where it is remembered what was about to be sent. Only for destinations that do not drop repeats. */
export interface ClaimsPort {
  /** @throws retryable errors when the database does not answer: nothing may be sent then. */
  claim(claim: DeliveryClaim): Promise<DeliveryClaimState>;
  settle(result: DeliveryClaimResult): Promise<void>;
}

/** Everything known about a delivery before it is attempted. */
export interface Prepared {
  readonly delivery: DeliveryAttributes;
  readonly event: CanonicalEvent;
  readonly connection: UsableConnection<DestinationDefinition>;
  readonly mapping: Readonly<Record<string, string>> | undefined;
  /** Id of the redrive that brought it, or empty. */
  readonly round: string;
}

export interface DeliveryCallPorts {
  readonly destination: DestinationDefinition;
  readonly http: HttpClient;
  readonly nowMs: () => number;
  /** The connection with its secrets read now. */
  readonly findAnew: (connectionId: string) => ConnectionLookup<DestinationDefinition>;
  /** Absent: they drop repeats. */
  readonly claims?: ClaimsPort | undefined;
}

export interface Called {
  readonly attempted: Attempted;
  /** A call before that, which was refused with a secret that has been replaced meanwhile. */
  readonly refused: DeliveryOutcome | undefined;
  /** False: nothing was sent now; what is known comes from an earlier attempt. */
  readonly wasSent: boolean;
}

/** Another process may still be sending it: it is looked at again when that must be over. */
export class DeliveryUnderWay extends PlatformError {
  readonly code = 'DELIVERY_UNDER_WAY';
  readonly retryable = true;

  constructor(deliveryId: string) {
    super(`delivery ${deliveryId} was begun a moment ago and may still be under way elsewhere; it is looked at again`);
  }
}

/** So much longer than an attempt may take, for the clocks and for the answer to be written down. */
const claimMarginMs = 5_000;

/** Calls the destination: at most once per claim, and once more when the secret was replaced meanwhile. */
export class DeliveryCall {
  constructor(private readonly ports: DeliveryCallPorts) {}

  async make(prepared: Prepared, attempt: Attempt): Promise<Called> {
    const known = await this.claimed(prepared);
    if (known) return { attempted: { stage: 'send', outcome: known }, refused: undefined, wasSent: false };
    const first = await this.send(prepared, prepared.connection, attempt);
    const renewed = first.outcome.kind === 'unauthorized' ? this.renewed(prepared.connection) : undefined;
    if (!renewed) return { attempted: first, refused: undefined, wasSent: true };
    return { attempted: await this.send(prepared, renewed, attempt), refused: first.outcome, wasSent: true };
  }

  /** What an earlier attempt is known to have done; undefined: go on and send it. */
  private async claimed({ delivery, round }: Prepared): Promise<DeliveryOutcome | undefined> {
    const state = await this.ports.claims?.claim({ deliveryId: delivery.deliveryId, round });
    switch (state?.kind) {
      case undefined:
      case 'fresh':
        return undefined;
      case 'delivered':
        return { kind: 'delivered', ...(state.receipt !== undefined && { receipt: state.receipt }) };
      case 'dropped':
        return { kind: 'unknown', code: 'GIVEN_UP', reason: 'it was given up before: nobody knows whether it arrived' };
      case 'in-doubt':
        if (state.ageMs < this.ports.destination.limits.timeoutMs + claimMarginMs)
          throw new DeliveryUnderWay(delivery.deliveryId);
        return {
          kind: 'unknown',
          code: 'IN_DOUBT',
          reason: 'an earlier attempt was cut off before anybody knew its answer',
        };
    }
  }

  private send(
    { delivery, event, mapping }: Prepared,
    connection: UsableConnection<DestinationDefinition>,
    attempt: Attempt,
  ): Promise<Attempted> {
    const { destination, http, nowMs } = this.ports;
    return deliver(destination, delivery.operation, {
      event,
      ...(mapping && { mapping }),
      connection: connection as DestinationConnection,
      deliveryId: delivery.deliveryId,
      attempt: attempt.number,
      http,
      nowMs: nowMs(),
      signal: attempt.signal,
    });
  }

  /** The connection with other secrets than those that were refused: they were rotated. Undefined: there are none. */
  private renewed({
    id,
    secrets,
  }: UsableConnection<DestinationDefinition>): UsableConnection<DestinationDefinition> | undefined {
    const found = this.ports.findAnew(id);
    if (found.kind !== 'usable') return undefined;
    return JSON.stringify(found.connection.secrets) === JSON.stringify(secrets) ? undefined : found.connection;
  }
}
