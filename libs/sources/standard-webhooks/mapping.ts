import {
  asIdentifier,
  asObject,
  msFromIso,
  type RawEvent,
  readJsonObject,
  type Translation,
  timeOf,
  typePart,
} from '@tributary/connector-kit';

/** `contact.created` in the domain `crm` is `crm.contact.created`; the sender's own spelling stays in the data. */
export function toCanonical(raw: RawEvent): Translation {
  const body = readJsonObject(raw.body);
  if (!body.ok) return { kind: 'invalid', reason: body.reason };
  const { type, timestamp, data } = body.value;
  const vendorType = asIdentifier(type);
  if (!vendorType) return { kind: 'invalid', reason: 'type is missing' };
  const occurredAt = msFromIso(timestamp);
  return {
    kind: 'events',
    events: [
      {
        type: `${String(raw.settings.domain)}.${entityAndVerb(vendorType)}`,
        subject: asIdentifier(asObject(data)?.id) ?? raw.sourceEventId,
        ...timeOf(occurredAt),
        record: 'tributary.external.ExternalEvent',
        data: { type: vendorType, data: JSON.stringify(data ?? null), occurredAt },
      },
    ],
  };
}

/** The last part is the verb and the parts before it the entity; a single word happened to some `event`. */
export function entityAndVerb(vendorType: string): string {
  const parts = vendorType.split('.').flatMap((part) => typePart(part) ?? []);
  const verb = parts.pop() ?? 'received';
  return `${parts.length === 0 ? 'event' : parts.join('-')}.${verb}`;
}
