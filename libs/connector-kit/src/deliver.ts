import {
  type CanonicalEvent,
  type DeliveryOutcome,
  type Failure,
  type ObservedBudget,
  readRateHeaders,
} from '@tributary/domain';
import { AttemptLimit } from './attempt-limit.js';
import {
  acceptsType,
  type DestinationConnection,
  type DestinationDefinition,
  type OperationDefinition,
} from './destination.js';
import type { HttpClient } from './http/client.js';
import type { HttpResult } from './http/reply.js';
import { applyMapping, type Mapping } from './mapping/mapping.js';
import { redactedOutcome } from './redaction.js';
import type { SettingsShape } from './settings.js';

export interface DeliveryRequest<S extends SettingsShape = SettingsShape> {
  readonly event: CanonicalEvent;
  readonly mapping?: Mapping;
  readonly connection: DestinationConnection<S>;
  readonly deliveryId: string;
  /** From 1. */
  readonly attempt: number;
  readonly http: HttpClient;
  readonly nowMs: number;
  readonly signal: AbortSignal;
}

/** What came of one attempt, and which step decided it. */
export type Attempted =
  | {
      readonly stage: 'send';
      readonly outcome: DeliveryOutcome;
      /** What the last answer said about the budget that is left. */
      readonly budget?: ObservedBudget;
    }
  /** No message could be made: nothing was sent, and nothing will be until a person changes the mapping or the event. */
  | { readonly stage: 'translate'; readonly outcome: DeliveryOutcome; readonly failure: Failure };

/**
 * One attempt of one delivery. What the other side does is in the answer; only our own mistakes are thrown.
 */
export async function deliver<S extends SettingsShape>(
  destination: DestinationDefinition<S>,
  operationName: string,
  request: DeliveryRequest<S>,
): Promise<Attempted> {
  const { connection, deliveryId, attempt, nowMs, signal } = request;
  const operation = Object.hasOwn(destination.operations, operationName)
    ? destination.operations[operationName]
    : undefined;
  if (!operation) return untranslatable('OPERATION_UNKNOWN', `${destination.slug} has no operation ${operationName}`);
  const made = await messageOf(operation, operationName, request);
  if (!made.ok) return untranslatable(made.code, made.reason);
  const { settings, secrets } = connection;
  const { timeoutMs } = destination.limits;
  // The attempt is over when its time is, whatever the client or the definition does with the signal.
  const limit = new AttemptLimit(signal, timeoutMs);
  const context = { settings, secrets, deliveryId, attempt, nowMs, signal: limit.signal };
  let budget: ObservedBudget | undefined;
  const read = (result: HttpResult) => {
    budget = budgetIn(result, destination, nowMs) ?? budget;
    return result;
  };
  try {
    const outcome = await operation.send(timedBy(request.http, timeoutMs, limit.signal, read), made.message, context);
    return { stage: 'send', outcome: redactedOutcome(outcome, secrets), ...(budget && { budget }) };
  } finally {
    limit.end();
  }
}

function budgetIn<S extends SettingsShape>(
  result: HttpResult,
  { limits }: DestinationDefinition<S>,
  nowMs: number,
): ObservedBudget | undefined {
  if (result.kind !== 'reply') return undefined;
  return limits.readBudget ? limits.readBudget(result, nowMs) : readRateHeaders(result.header, nowMs);
}

type Made =
  | { readonly ok: true; readonly message: unknown }
  | { readonly ok: false; readonly code: string; readonly reason: string };

async function messageOf<S extends SettingsShape>(
  operation: OperationDefinition<S>,
  name: string,
  { event, mapping, connection }: DeliveryRequest<S>,
): Promise<Made> {
  if (!acceptsType(operation.accepts, event.type)) {
    return {
      ok: false,
      code: 'EVENT_NOT_ACCEPTED',
      reason: `operation ${name} does not take events of type ${event.type}`,
    };
  }
  const mapped = await applyMapping(mapping ?? {}, event);
  if (!mapped.ok) return { ok: false, code: 'MAPPING_FAILED', reason: mapped.problems.join('; ') };
  const message = { ...(operation.translate(event, connection.settings) as object), ...mapped.fields };
  const checked = operation.message.safeParse(message);
  if (checked.success) return { ok: true, message: checked.data };
  const problems = checked.error.issues.map(({ path, message }) => `${path.join('.') || 'message'}: ${message}`);
  return {
    ok: false,
    code: 'MESSAGE_INVALID',
    reason: `the message is not one that ${name} sends: ${problems.join('; ')}`,
  };
}

function untranslatable(code: string, reason: string): Attempted {
  const failure: Failure = { errorClass: 'invalid', code, reason: reason.slice(0, 500), stage: 'translate' };
  return { stage: 'translate', outcome: { kind: 'rejected', code, reason: failure.reason }, failure };
}

/** Requests of an attempt end with it, also those of a definition that does not think of it. */
function timedBy(
  http: HttpClient,
  timeoutMs: number,
  signal: AbortSignal,
  read: (result: HttpResult) => HttpResult,
): HttpClient {
  return {
    send: async (request) => read(await http.send({ timeoutMs, signal, ...request })),
    post: async (url, options) => read(await http.post(url, { timeoutMs, signal, ...options })),
  };
}
