import { type DeliveryOutcome, readPatience, retryAfterMs } from '@tributary/domain';
import type { HttpFailure, HttpReply, HttpResult } from './reply.js';

/** What a request that brought no answer means for the delivery. */
export function outcomeFromFailure(failure: HttpFailure): DeliveryOutcome {
  const { code, reason } = failure;
  return failure.kind === 'not-sent'
    ? { kind: 'unavailable', code, reason: `not sent: ${reason}` }
    : { kind: 'unknown', code, reason: `sent, and no answer: ${reason}` };
}

/** Wait when they say "too much" and not for how long, or for no time at all: without it they would be asked for ever, at once. */
const unspecifiedWaitMs = 1000;

/** What a status alone says. Definitions that must read the body do that first. */
export function outcomeFromStatus(reply: HttpReply, nowMs: number): DeliveryOutcome {
  const { status } = reply;
  const code = String(status);
  if (status >= 200 && status < 300) return { kind: 'delivered' };
  const wait = retryAfterMs(reply.header('retry-after'), nowMs);
  if (status >= 300 && status < 400)
    return { kind: 'rejected', code, reason: `answered ${code}: redirect not followed` };
  if (status === 429)
    return { kind: 'throttled', code, retryAfterMs: readPatience(reply.header, nowMs) || unspecifiedWaitMs };
  if (status === 503 && wait !== undefined) return { kind: 'throttled', code, retryAfterMs: wait || unspecifiedWaitMs };
  if (status === 401) return { kind: 'unauthorized', code, reason: withExcerpt(reply) };
  if (status >= 500 || status === 408 || status === 425) {
    return { kind: 'unavailable', code, reason: withExcerpt(reply), ...(wait !== undefined && { retryAfterMs: wait }) };
  }
  return { kind: 'rejected', code, reason: withExcerpt(reply) };
}

/** @public part of the kit: what new destinations start from. */
export function outcomeFromResult(result: HttpResult, nowMs: number): DeliveryOutcome {
  return result.kind === 'reply' ? outcomeFromStatus(result, nowMs) : outcomeFromFailure(result);
}

const excerptLength = 200;

function withExcerpt(reply: HttpReply): string {
  const said = reply.body
    .subarray(0, excerptLength * 4)
    .toString('utf8')
    .trim()
    .slice(0, excerptLength);
  return said === '' ? `answered ${reply.status}` : `answered ${reply.status}: ${said}`;
}
