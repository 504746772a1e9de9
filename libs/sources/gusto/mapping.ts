import {
  asIdentifier,
  asText,
  type JsonObject,
  msFromUnixSeconds,
  type RawEvent,
  readJsonObject,
  type Translation,
  timeOf,
  typePart,
} from '@tributary/connector-kit';

interface EntityMapping {
  readonly prefix: string;
  data(entityId: string, envelope: JsonObject): Readonly<Record<string, unknown>>;
}

const occurredAt = (envelope: JsonObject) => msFromUnixSeconds(envelope.timestamp);

const entities: Readonly<Record<string, EntityMapping>> = {
  employee: {
    prefix: 'people.employee',
    data: (employeeId, envelope) => ({
      employeeId,
      companyId: asText(envelope.resource_uuid),
      firstName: null,
      lastName: null,
      workEmail: null,
      title: null,
      department: null,
      location: null,
      startDate: null,
      occurredAt: occurredAt(envelope),
    }),
  },
  payroll: {
    prefix: 'payroll.payroll',
    data: (payrollId, envelope) => ({
      payrollId,
      companyId: asText(envelope.resource_uuid),
      periodStart: null,
      periodEnd: null,
      checkDate: null,
      total: null,
      currency: null,
      occurredAt: occurredAt(envelope),
    }),
  },
};

/** Gusto sends what changed, not how: fields that would need a call to its API stay null. */
export function toCanonical(raw: RawEvent): Translation {
  const body = readJsonObject(raw.body);
  if (!body.ok) return { kind: 'invalid', reason: body.reason };
  const envelope = body.value;
  if (raw.sourceEventType === 'verification_token')
    return { kind: 'ignored', reason: 'verification token, not an event' };
  const [noun = '', word = ''] = raw.sourceEventType.split('.', 2);
  const entity = Object.hasOwn(entities, noun) ? entities[noun] : undefined;
  if (!entity) return { kind: 'ignored', reason: `no mapping for ${raw.sourceEventType}` };
  const verb = typePart(word);
  if (!verb) return { kind: 'invalid', reason: `event_type ${raw.sourceEventType} has no verb` };
  const id = asIdentifier(envelope.entity_uuid);
  if (!id) return { kind: 'invalid', reason: `${raw.sourceEventType} names no entity_uuid` };
  const event = { type: `${entity.prefix}.${verb}`, subject: id, data: entity.data(id, envelope) };
  return { kind: 'events', events: [{ ...event, ...timeOf(occurredAt(envelope)) }] };
}
