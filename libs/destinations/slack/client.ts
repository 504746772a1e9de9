import {
  asObject,
  asText,
  type HttpClient,
  type HttpReply,
  outcomeFromFailure,
  outcomeFromStatus,
  type SendContext,
} from '@tributary/connector-kit';
import type { DeliveryOutcome } from '@tributary/domain';
import type { SlackMessage } from './mapping.js';

export async function postMessage(
  http: HttpClient,
  message: SlackMessage,
  { settings, secrets, nowMs, signal }: SendContext & { readonly settings: { readonly apiBase: string } },
): Promise<DeliveryOutcome> {
  const [bearer] = secrets.botToken ?? [];
  if (!bearer) return { kind: 'unauthorized', code: 'BOT_TOKEN', reason: 'no bot token: check secrets.botToken' };
  const result = await http.post(`${settings.apiBase.replace(/\/+$/, '')}/chat.postMessage`, {
    json: message,
    bearer,
    signal,
  });
  if (result.kind !== 'reply') return outcomeFromFailure(result);
  return result.status === 200 ? outcomeFromBody(result, nowMs) : outcomeFromStatus(result, nowMs);
}

const throttlingErrors = new Set(['ratelimited', 'rate_limited']);
const passingErrors = new Set(['internal_error', 'fatal_error', 'service_unavailable', 'request_timeout']);
const authErrors = new Set([
  'invalid_auth',
  'not_authed',
  'token_revoked',
  'token_expired',
  'account_inactive',
  'missing_scope',
]);

// Slack answers 200 even when it refuses; the verdict is in the body.
function outcomeFromBody(reply: HttpReply, nowMs: number): DeliveryOutcome {
  const body = asObject(reply.json());
  const receipt = asText(body?.ts);
  if (body?.ok === true) return { kind: 'delivered', ...(receipt !== null && { receipt }) };
  const error = asText(body?.error);
  // Neither yes nor no: the message may be there.
  if (body?.ok !== false || error === null) {
    return {
      kind: 'unknown',
      code: 'UNREADABLE_REPLY',
      reason: 'answered 200 with a body that says neither ok nor why not',
    };
  }
  // A throttle has its own status elsewhere; here it is inside a 200, with the same header.
  if (throttlingErrors.has(error)) return { ...throttled(reply, nowMs), code: error };
  if (authErrors.has(error)) return { kind: 'unauthorized', code: error, reason: `Slack refused the token: ${error}` };
  if (passingErrors.has(error)) return { kind: 'unavailable', code: error, reason: `Slack answered ${error}` };
  return { kind: 'rejected', code: error, reason: `Slack refused the message: ${error}` };
}

function throttled(reply: HttpReply, nowMs: number) {
  const outcome = outcomeFromStatus({ ...reply, status: 429 }, nowMs);
  return outcome.kind === 'throttled' ? outcome : ({ kind: 'throttled', retryAfterMs: 1000 } as const);
}
