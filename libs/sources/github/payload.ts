import { type BodyReading, decodeUtf8, readJsonObject, readJsonText } from '@tributary/connector-kit';

/** The event inside a body: the body itself, or the field `payload` of a form. What is signed is the body either way. */
export function readPayload(body: Buffer, contentType: string): BodyReading {
  if (!/^application\/x-www-form-urlencoded\b/i.test(contentType.trim())) return readJsonObject(body);
  if (body.length === 0) return { ok: false, code: 'body-empty', reason: 'the body is empty' };
  const payload = new URLSearchParams(decodeUtf8(body) ?? '').getAll('payload');
  if (payload.length !== 1)
    return { ok: false, code: 'body-unreadable', reason: 'the form has no single field payload' };
  return readJsonText(payload[0] ?? '');
}
