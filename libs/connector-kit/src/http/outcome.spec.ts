import { type DeliveryOutcome, defaultRetrySchedule, type Settlement, settle } from '@tributary/domain';
import { describe, expect, it } from 'vitest';
import { outcomeFromResult } from './outcome.js';
import { type HttpResult, httpReply } from './reply.js';

const nowMs = Date.UTC(2026, 10, 22, 2, 0, 0);
const reply = (status: number, headers: Readonly<Record<string, string>> = {}) => httpReply({ status, headers });
const notSent = (code: string): HttpResult => ({ kind: 'not-sent', code, reason: code });
const unanswered = (code: string): HttpResult => ({ kind: 'unanswered', code, reason: code });
const day = 24 * 3_600_000;

function settled(outcome: DeliveryOutcome, unknownOutcome: 'retry' | 'drop' | 'hold'): Settlement {
  const facts = { attempt: 1, firstFailureMs: undefined, nowMs, random: 0 };
  return settle(outcome, facts, { schedule: defaultRetrySchedule, unknownOutcome });
}

/** What came back, what that means, and what becomes of the record. */
type Row = [string, HttpResult, DeliveryOutcome['kind'], Settlement['to']];

describe('what an answer means and what becomes of the delivery', () => {
  it.each<Row>([
    ['a refused connection', notSent('ECONNREFUSED'), 'unavailable', 'retry'],
    ['a name that is not found', notSent('ENOTFOUND'), 'unavailable', 'retry'],
    ['a failed TLS handshake', notSent('ERR_TLS_CERT_ALTNAME_INVALID'), 'unavailable', 'retry'],
    ['200', reply(200), 'delivered', 'commit'],
    ['202', reply(202), 'delivered', 'commit'],
    ['204', reply(204), 'delivered', 'commit'],
    ['a redirect', reply(302), 'rejected', 'deadLetter'],
    ['400', reply(400), 'rejected', 'deadLetter'],
    ['401', reply(401), 'unauthorized', 'suspend'],
    ['403, unless the definition reads more in the body', reply(403), 'rejected', 'deadLetter'],
    ['404', reply(404), 'rejected', 'deadLetter'],
    ['408', reply(408), 'unavailable', 'retry'],
    ['409', reply(409), 'rejected', 'deadLetter'],
    ['410, unless the definition knows better', reply(410), 'rejected', 'deadLetter'],
    ['413', reply(413), 'rejected', 'deadLetter'],
    ['422', reply(422), 'rejected', 'deadLetter'],
    ['423, unless the definition knows better', reply(423), 'rejected', 'deadLetter'],
    ['425', reply(425), 'unavailable', 'retry'],
    ['429', reply(429), 'throttled', 'gate'],
    ['500', reply(500), 'unavailable', 'retry'],
    ['502', reply(502), 'unavailable', 'retry'],
    ['503', reply(503), 'unavailable', 'retry'],
    ['503 that asks for patience', reply(503, { 'retry-after': '5' }), 'throttled', 'gate'],
    ['504', reply(504), 'unavailable', 'retry'],
    ['524', reply(524), 'unavailable', 'retry'],
    ['a pause of more than a day', reply(429, { 'retry-after': '86401' }), 'throttled', 'suspend'],
    ['a pause of a day', reply(429, { 'retry-after': '86400' }), 'throttled', 'gate'],
  ])('%s', (_, result, kind, to) => {
    const outcome = outcomeFromResult(result, nowMs);
    expect(outcome.kind).toBe(kind);
    // Whatever a connection says about unknown outcomes: this one is known.
    for (const policy of ['retry', 'drop', 'hold'] as const) expect(settled(outcome, policy).to).toBe(to);
  });

  it.each(['ECONNRESET', 'TIMEOUT', 'UND_ERR_SOCKET'])('%s after the request was written, by policy', (code) => {
    const outcome = outcomeFromResult(unanswered(code), nowMs);
    expect(outcome.kind).toBe('unknown');
    const policies = ['retry', 'drop', 'hold'] as const;
    expect(policies.map((policy) => settled(outcome, policy).to)).toEqual(['retry', 'deadLetter', 'suspend']);
  });

  it.each<[string, Record<string, string>, number]>([
    ['seconds', { 'retry-after': '7' }, 7_000],
    ['decimals, rounded up', { 'retry-after': '1.0001' }, 1_001],
    ['an HTTP date', { 'retry-after': 'Sun, 22 Nov 2026 02:00:30 GMT' }, 30_000],
    ["Braze's header", { 'x-ratelimit-retry-after': '3' }, 3_000],
    ['a reset in epoch seconds', { 'x-ratelimit-reset': String(nowMs / 1000 + 9) }, 9_000],
    ['a reset as Jira writes it', { 'x-ratelimit-reset': '2026-11-22T02:01Z' }, 60_000],
    ['nothing', {}, 1_000],
    ['no time at all', { 'retry-after': '0' }, 1_000],
    ['a date that passed', { 'retry-after': 'Sun, 22 Nov 2020 02:00:30 GMT' }, 1_000],
    ['words', { 'retry-after': 'soon' }, 1_000],
    ['less than nothing', { 'retry-after': '-5' }, 1_000],
    ['more digits than a number has', { 'retry-after': '9'.repeat(400) }, 365 * day],
  ])('429 waits by %s', (_, headers, waitMs) => {
    expect(outcomeFromResult(reply(429, headers), nowMs)).toEqual({
      kind: 'throttled',
      code: '429',
      retryAfterMs: waitMs,
    });
  });

  it('keeps the end of a pause that becomes a suspension', () => {
    const outcome = outcomeFromResult(reply(503, { 'retry-after': String((2 * day) / 1000) }), nowMs);
    expect(settled(outcome, 'drop')).toMatchObject({ to: 'suspend', untilMs: nowMs + 2 * day });
  });
});
