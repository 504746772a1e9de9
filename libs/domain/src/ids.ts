import { hash } from 'node:crypto';

const idGrammar = /^[a-z0-9][a-z0-9-]{0,62}$/;

/** Grammar of tenant, connection and subscription ids. */
export const isId = (text: string): boolean => idGrammar.test(text);

export const eventSource = (tenant: string, connection: string): string => `/${tenant}/${connection}`;

/** Escapes the two characters that have a meaning in a key. */
const escapeKeyPart = (text: string): string => text.replaceAll('%', '%25').replaceAll(':', '%3A');

/** Key of an event: same key, same order. Without a subject the event's id stands in and no order is promised. */
export function eventKey(tenant: string, subject: string | undefined, eventId: string): string {
  return `${tenant}:${escapeKeyPart(subject ?? eventId)}`;
}

export function rawKey(tenant: string, connection: string, subject: string): string {
  return `${tenant}:${connection}:${escapeKeyPart(subject)}`;
}

export function sha256Hex(bytes: Uint8Array | string): string {
  return hash('sha256', bytes, 'hex');
}

/** Lower-case hex SHA-256 over the parts, each prefixed with its 4-byte big-endian length, so no two lists collide. */
export function digestOfParts(parts: readonly string[]): string {
  const sizes = parts.map((part) => Buffer.byteLength(part));
  const bytes = Buffer.allocUnsafe(sizes.reduce((sum, size) => sum + 4 + size, 0));
  let at = 0;
  parts.forEach((part, i) => {
    at = bytes.writeUInt32BE(sizes[i] as number, at);
    at += bytes.write(part, at);
  });
  // In one call: each of a record's four or five digests would make an object to hash with.
  return hash('sha256', bytes, 'hex');
}

/** Identity of one delivery and idempotency key at the destination: the same over retries, restarts and redrives. */
export function deliveryId(source: string, eventId: string, subscriptionId: string): string {
  return digestOfParts([source, eventId, subscriptionId]);
}
