import type { Verification, WebhookRequest } from '../source.js';

type Refusal = Extract<Verification, { kind: 'refused' }>;

export const verified: Verification = { kind: 'verified' };

export const unsigned = (code: string, reason: string): Refusal => ({ kind: 'refused', status: 401, code, reason });

export const unacceptable = (code: string, reason: string): Refusal => ({ kind: 'refused', status: 400, code, reason });

export const wrongSignature: Verification = unsigned('signature-wrong', 'no active secret gives this signature');

export type HeaderReading =
  | { readonly ok: true; readonly value: string }
  | { readonly ok: false; readonly refusal: Refusal };

/**
 * The value of a header that must come once. Absent or empty: 401. Twice: 400, because which one counts is then a
 * matter of who reads it. Several names are spellings of one header.
 */
export function headerOnce(request: WebhookRequest, ...spellings: readonly [string, ...string[]]): HeaderReading {
  const [name] = spellings;
  const values = spellings.flatMap((spelling) => request.headers.get(spelling) ?? []);
  if (values.length > 1)
    return { ok: false, refusal: unacceptable('header-repeated', `${name} came ${values.length} times`) };
  const value = values[0]?.trim() ?? '';
  if (value === '') return { ok: false, refusal: unsigned('signature-missing', `${name} is missing`) };
  return { ok: true, value };
}

/** First value of a header that is not part of the signature; undefined when absent or empty. */
export function headerValue(request: WebhookRequest, name: string): string | undefined {
  return request.headers.get(name)?.[0]?.trim() || undefined;
}

/** Both ways: a timestamp from the future would make a captured request good for longer. */
const toleranceSeconds = 300;

/** Refusal when Unix seconds, as text, are unreadable or too far from the time of receipt. */
export function outsideWindow(timestamp: string, receivedAtMs: number): Refusal | undefined {
  if (!/^\d{1,12}$/.test(timestamp)) return unacceptable('timestamp-invalid', 'the timestamp is not in whole seconds');
  const age = Math.floor(receivedAtMs / 1000) - Number(timestamp);
  if (age > toleranceSeconds)
    return unacceptable('timestamp-stale', `signed ${age} s ago; ${toleranceSeconds} s are allowed`);
  if (-age > toleranceSeconds) {
    return unacceptable('timestamp-future', `signed ${-age} s in the future; ${toleranceSeconds} s are allowed`);
  }
  return undefined;
}
