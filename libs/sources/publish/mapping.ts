import {
  asIdentifier,
  asObject,
  type JsonObject,
  msFromIso,
  type RawEvent,
  readJsonObject,
  type Translation,
  timeOf,
} from '@tributary/connector-kit';
import { parseEventType } from '@tributary/contracts';

const externalEvent = 'tributary.external.ExternalEvent';

/** From a structured CloudEvent as the publish API stored it. */
export function toCanonical(raw: RawEvent): Translation {
  const body = readJsonObject(raw.body);
  if (!body.ok) return { kind: 'invalid', reason: body.reason };
  const type = asIdentifier(body.value.type) ?? '';
  const parts = parseEventType(type);
  if (!parts)
    return { kind: 'invalid', reason: `type ${JSON.stringify(type)} is not domain.entity.verb of a known domain` };
  const data = parts.record === externalEvent ? wrapped(type, body.value) : asObject(body.value.data);
  if (!data) return { kind: 'invalid', reason: `data of ${type} must be an object with the fields of ${parts.record}` };
  const subject = asIdentifier(body.value.subject);
  const time = timeOf(msFromIso(body.value.time));
  return {
    kind: 'events',
    events: [{ type, ...(subject !== undefined && { subject }), ...time, data, record: parts.record }],
  };
}

/** Types without a record of their own carry their data as JSON text. */
function wrapped(type: string, event: JsonObject): JsonObject {
  return { type, data: JSON.stringify(event.data ?? null), occurredAt: msFromIso(event.time) };
}
