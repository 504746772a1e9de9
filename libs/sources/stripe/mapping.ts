import {
  asIdentifier,
  asObject,
  asText,
  type JsonObject,
  msFromUnixSeconds,
  type RawEvent,
  readJsonObject,
  type Translation,
  timeOf,
} from '@tributary/connector-kit';
import { decimalFromMinorUnits } from './money.js';

type Data = Readonly<Record<string, unknown>>;
type ToData = (object: JsonObject, id: string, occurredAt: number | null) => Data;

/** The customer an object belongs to; the reference may be an id or the object itself. */
export function customerOf(object: JsonObject): string | undefined {
  return asIdentifier(object.customer) ?? asIdentifier(asObject(object.customer)?.id);
}

const idOf = (reference: unknown): string | null => asText(reference) ?? asText(asObject(reference)?.id);

const currencyOf = (object: JsonObject): string | null => asText(object.currency)?.toUpperCase() ?? null;

function amountOf(object: JsonObject, ...names: readonly string[]): string | null {
  const name = names.find((candidate) => object[candidate] !== undefined && object[candidate] !== null);
  const currency = currencyOf(object);
  return name === undefined || currency === null ? null : decimalFromMinorUnits(object[name], currency);
}

const toCustomer: ToData = (object, customerId, occurredAt) => ({
  customerId,
  email: asText(object.email)?.toLowerCase() ?? null,
  name: asText(object.name),
  phone: asText(object.phone),
  country: asText(asObject(object.address)?.country),
  occurredAt,
});

const toInvoice: ToData = (object, invoiceId, occurredAt) => ({
  invoiceId,
  customerId: customerOf(object) ?? null,
  number: asText(object.number),
  status: asText(object.status),
  amountDue: amountOf(object, 'amount_due'),
  amountPaid: amountOf(object, 'amount_paid'),
  currency: currencyOf(object),
  occurredAt,
});

const toPayment: ToData = (object, paymentId, occurredAt) => ({
  paymentId,
  customerId: customerOf(object) ?? null,
  invoiceId: idOf(object.invoice),
  amount: amountOf(object, 'amount'),
  currency: currencyOf(object),
  status: asText(object.status),
  failureReason: asText(asObject(object.last_payment_error)?.message),
  occurredAt,
});

// A refund is told about the charge; the payment it belongs to is what other events call it.
const toRefund: ToData = (object, chargeId, occurredAt) => ({
  ...toPayment(object, idOf(object.payment_intent) ?? chargeId, occurredAt),
  amount: amountOf(object, 'amount_refunded', 'amount'),
});

const mappings: Readonly<Record<string, readonly [type: string, toData: ToData]>> = {
  'customer.created': ['billing.customer.created', toCustomer],
  'customer.updated': ['billing.customer.updated', toCustomer],
  'customer.deleted': ['billing.customer.deleted', toCustomer],
  'invoice.created': ['billing.invoice.created', toInvoice],
  'invoice.finalized': ['billing.invoice.finalized', toInvoice],
  'invoice.paid': ['billing.invoice.paid', toInvoice],
  'invoice.payment_failed': ['billing.invoice.payment-failed', toInvoice],
  'invoice.voided': ['billing.invoice.voided', toInvoice],
  'payment_intent.succeeded': ['billing.payment.succeeded', toPayment],
  'payment_intent.payment_failed': ['billing.payment.failed', toPayment],
  'charge.refunded': ['billing.payment.refunded', toRefund],
};

export function toCanonical(raw: RawEvent): Translation {
  const body = readJsonObject(raw.body);
  if (!body.ok) return { kind: 'invalid', reason: body.reason };
  const event = body.value;
  const mapping = Object.hasOwn(mappings, raw.sourceEventType) ? mappings[raw.sourceEventType] : undefined;
  if (!mapping) return { kind: 'ignored', reason: `no mapping for ${raw.sourceEventType}` };
  const object = asObject(asObject(event.data)?.object);
  const id = asIdentifier(object?.id);
  if (!object || !id) return { kind: 'invalid', reason: `${raw.sourceEventType} carries no object with an id` };
  const [type, toData] = mapping;
  const occurredAt = msFromUnixSeconds(event.created);
  const data = toData(object, id, occurredAt);
  return { kind: 'events', events: [{ type, subject: customerOf(object) ?? id, ...timeOf(occurredAt), data }] };
}
