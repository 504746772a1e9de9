import type {
  BreakerRules,
  CanonicalEvent,
  DeliveryOutcome,
  ObservedBudget,
  OnDead,
  RateBudget,
  RetrySchedule,
  UnknownOutcomePolicy,
} from '@tributary/domain';
import type { ZodType } from 'zod';
import type { HttpClient } from './http/client.js';
import type { HttpReply } from './http/reply.js';
import type { Secrets, SecretsShape, SettingsOf, SettingsShape } from './settings.js';

/** The account at the destination that a delivery is for. */
export interface DestinationConnection<S extends SettingsShape = SettingsShape> {
  readonly id: string;
  readonly tenant: string;
  readonly settings: SettingsOf<S>;
  readonly secrets: Secrets;
}

/** What one attempt knows besides its message. */
export interface SendContext<S extends SettingsShape = SettingsShape> {
  readonly settings: SettingsOf<S>;
  readonly secrets: Secrets;
  /** Idempotency key: the same over retries, restarts and redrives. */
  readonly deliveryId: string;
  /** From 1. */
  readonly attempt: number;
  readonly nowMs: number;
  readonly signal: AbortSignal;
}

export interface OperationDefinition<S extends SettingsShape = SettingsShape, M = unknown> {
  readonly summary: string;
  /** Canonical event types; `*` stands for one part: `people.employee.*`. */
  readonly accepts: readonly string[];
  /** What a message must look like, mapped fields included. */
  readonly message: ZodType<M>;
  /** Pure: the message when no mapping is given, and the ground that a mapping changes fields of. */
  translate(event: CanonicalEvent, settings: SettingsOf<S>): M;
  /** Guard, act, return a verdict. Never throws for what the other side does. */
  send(http: HttpClient, message: M, context: SendContext<S>): Promise<DeliveryOutcome>;
  /** Where this operation is limited otherwise than the rest of the destination. */
  readonly limits?: Pick<DestinationLimits, 'scope' | 'rate'>;
}

/**
 * By what the vendor limits, and so what a refusal for being too fast closes. `connection`: the whole account. `operation`: calls of one
 * operation. `key`: the record's key. A resource: what a setting names, such as a channel, unless a mapping of the field of that name
 * says otherwise.
 */
export type LimitScope = 'connection' | 'operation' | 'key' | { readonly resource: string; readonly namedBy: string };

export interface DestinationPromises {
  /** `per-key`: deliveries of one key arrive in order. */
  readonly ordering: 'per-key' | 'none';
  /** `key`: they drop a repeat by our delivery id. `none`: a crash between sending and committing may repeat an effect. */
  readonly idempotency: 'key' | 'none';
}

export interface DestinationLimits {
  /** Attempts of one connection at the same time. */
  readonly maxInFlight: number;
  /** Of one attempt, from connecting to the last byte of the answer. */
  readonly timeoutMs: number;
  /** Absent: `connection`. */
  readonly scope?: LimitScope;
  /** What each scope takes, unless the connection says otherwise. Absent: only what answers say counts. */
  readonly rate?: RateBudget;
  /** Where it differs from the default. */
  readonly breaker?: Partial<BreakerRules>;
  /** What an answer says about the budget that is left. Absent: the customary headers are read. */
  readonly readBudget?: (reply: HttpReply, nowMs: number) => ObservedBudget | undefined;
}

export interface DestinationDefinition<S extends SettingsShape = SettingsShape> {
  /** Lower case, digits and hyphens; part of the delivery topic's name. */
  readonly slug: string;
  readonly title: string;
  readonly summary: string;
  readonly settings: S;
  readonly secrets: SecretsShape;
  readonly promises: DestinationPromises;
  readonly limits: DestinationLimits;
  /** Absent: the platform's default schedule. */
  readonly schedule?: RetrySchedule;
  /** What a connection does when a request was written and no answer came, unless it says otherwise. */
  readonly unknownOutcome: UnknownOutcomePolicy;
  /** What a dead letter of a connection means for its key, unless the connection says otherwise. Absent: `continue`. */
  readonly onDead?: OnDead;
  readonly operations: Readonly<Record<string, OperationDefinition<NoInfer<S>>>>;
}

/** Binds the message type of an operation: `translate` and `send` then agree with `message`. */
export function operation<S extends SettingsShape, M>(definition: OperationDefinition<S, M>): OperationDefinition<S> {
  // The one place where the message type is forgotten: `deliver` hands `send` only what `message` accepted.
  return definition as OperationDefinition<S>;
}

const slugGrammar = /^[a-z][a-z0-9-]*$/;

/** @throws TypeError when the description cannot be a destination. */
export function defineDestination<const S extends SettingsShape>(
  definition: DestinationDefinition<S>,
): DestinationDefinition<S> {
  const { slug } = definition;
  if (!slugGrammar.test(slug))
    throw new TypeError(`destination slug ${JSON.stringify(slug)} must match ${slugGrammar.source}`);
  if (Object.keys(definition.operations).length === 0) throw new TypeError(`destination ${slug} has no operation`);
  checkLimits(definition);
  if (definition.onDead === 'hold' && definition.promises.ordering === 'none')
    throw new TypeError(`destination ${slug} has no order by key, so a dead letter has no key to hold`);
  // Repeating a request that may have had its effect is only safe where they drop repeats.
  if (definition.unknownOutcome === 'retry' && definition.promises.idempotency === 'none') {
    throw new TypeError(`destination ${slug} has no idempotency, so an unknown outcome must be drop or hold`);
  }
  return Object.freeze(definition);
}

function checkLimits<S extends SettingsShape>({ slug, limits, operations, settings }: DestinationDefinition<S>): void {
  const all = Object.entries({ '': limits, ...Object.fromEntries(Object.entries(operations).map(limitsOfOperation)) });
  for (const [name, { scope, rate }] of all) {
    const where = name === '' ? `destination ${slug}` : `operation ${name} of destination ${slug}`;
    if (typeof scope === 'object' && !Object.hasOwn(settings, scope.namedBy))
      throw new TypeError(`${where} limits by ${scope.resource}, which no setting names: there is no ${scope.namedBy}`);
    if (rate && !(rate.perSecond > 0 && rate.burst >= 1))
      throw new TypeError(`${where} has a rate that lets nothing through: perSecond must be above 0, burst at least 1`);
  }
}

const limitsOfOperation = <S extends SettingsShape>([name, { limits }]: [string, OperationDefinition<S>]) =>
  [name, limits ?? {}] as const;

/** Whether an operation takes events of a type. */
export function acceptsType(accepts: readonly string[], type: string): boolean {
  const parts = type.split('.');
  return accepts.some((pattern) => {
    const wanted = pattern.split('.');
    return wanted.length === parts.length && wanted.every((word, i) => word === '*' || word === parts[i]);
  });
}
