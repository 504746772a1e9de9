import {
  avroContentType,
  cloudEventHeaders as ce,
  contentTypeHeader,
  deliveryHeaders,
  originHeaders,
  redriveHeaders,
} from '@tributary/contracts';
import { type CanonicalEvent, type Coordinates, isId } from '@tributary/domain';
import type { IncomingRecord } from '@tributary/kafka';

/** CloudEvents attributes of a canonical event as Kafka headers (binary mode). */
export function headersOf(event: Omit<CanonicalEvent, 'data'>, schema: string): Record<string, string> {
  return {
    [ce.specversion]: '1.0',
    [ce.id]: event.id,
    [ce.source]: event.source,
    [ce.type]: event.type,
    [ce.tenant]: event.tenant,
    ...(event.subject !== undefined && { [ce.subject]: event.subject }),
    ...(event.time !== undefined && { [ce.time]: event.time }),
    [ce.dataschema]: `urn:avro:${schema}`,
    [contentTypeHeader]: avroContentType,
  };
}

export type AttributesReading =
  | { readonly ok: true; readonly attributes: Omit<CanonicalEvent, 'data'> }
  | { readonly ok: false; readonly reason: string };

/** The ledger indexes the identity of an event, and PostgreSQL takes 2704 bytes. */
const longestIdentity = 2_000;

/** CloudEvents attributes from headers. Services publish to the bus too, so nothing is taken for granted. */
export function attributesOf(headers: IncomingRecord['headers']): AttributesReading {
  const missing = [ce.id, ce.source, ce.type, ce.tenant].filter((name) => !headers[name]);
  if (missing.length > 0) return { ok: false, reason: `header ${missing.join(', ')} is missing` };
  const tenant = headers[ce.tenant] ?? '';
  if (!isId(tenant)) return { ok: false, reason: `header ${ce.tenant} is not the id of a tenant` };
  const identity = Buffer.byteLength(`${headers[ce.source]}${headers[ce.id]}`);
  if (identity > longestIdentity) {
    return { ok: false, reason: `headers ${ce.source} and ${ce.id} have more than ${longestIdentity} bytes together` };
  }
  const subject = headers[ce.subject];
  const time = headers[ce.time];
  return {
    ok: true,
    attributes: {
      id: headers[ce.id] ?? '',
      source: headers[ce.source] ?? '',
      type: headers[ce.type] ?? '',
      tenant,
      ...(subject !== undefined && { subject }),
      ...(time !== undefined && { time }),
    },
  };
}

export interface DeliveryAttributes {
  readonly deliveryId: string;
  readonly subscriptionId: string;
  readonly connectionId: string;
  readonly operation: string;
}

export function deliveryAttributesOf(headers: IncomingRecord['headers']): DeliveryAttributes | undefined {
  const deliveryId = headers[deliveryHeaders.deliveryId];
  const subscriptionId = headers[deliveryHeaders.subscriptionId];
  const connectionId = headers[deliveryHeaders.connectionId];
  const operation = headers[deliveryHeaders.operation];
  if (!deliveryId || !subscriptionId || !connectionId || !operation) return undefined;
  return { deliveryId, subscriptionId, connectionId, operation };
}

/** Where a record came from first: its own coordinates, or those it carries through its chain. */
export function originOf(record: IncomingRecord): Coordinates {
  const { headers } = record;
  const topic = headers[originHeaders.topic];
  const partition = Number(headers[originHeaders.partition]);
  const offset = headers[originHeaders.offset];
  if (topic && Number.isInteger(partition) && offset && /^\d+$/.test(offset)) {
    return { topic, partition, offset: BigInt(offset) };
  }
  return { topic: record.topic, partition: record.partition, offset: record.offset };
}

/** Id of the redrive that brought the record here; undefined on its first way. */
export const redriveOf = (record: IncomingRecord): string | undefined => record.headers[redriveHeaders.id];
