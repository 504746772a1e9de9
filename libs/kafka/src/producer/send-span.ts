import {
  type Context,
  context,
  isSpanContextValid,
  type Link,
  propagation,
  ROOT_CONTEXT,
  type Span,
  type SpanContext,
  SpanKind,
  type TextMapGetter,
  TraceFlags,
  trace,
} from '@opentelemetry/api';
import type { OutgoingRecord } from '../records.js';
import { headerText } from '../records.js';

const tracer = trace.getTracer('@tributary/kafka');

export interface TracedRecord {
  readonly record: OutgoingRecord;
  readonly span?: Span;
}

/**
 * Opens a span when the caller's context is sampled and puts the trace into the headers, unless the caller did: the context in
 * which an event was created is never replaced. By the conventions the span is a PRODUCER where its own context travels; where
 * that of the creation does, it is a CLIENT, linked to the creation.
 */
export function traceSend(record: OutgoingRecord): TracedRecord {
  const active = context.active();
  const parent = trace.getSpanContext(active);
  if (!parent || !isSpanContextValid(parent)) return { record };
  if (!(parent.traceFlags & TraceFlags.SAMPLED)) return { record: withTrace(record, active) };
  const isCarried = headerText(record.headers, 'traceparent') !== undefined;
  const attributes = {
    'messaging.system': 'kafka',
    'messaging.operation.name': 'send',
    'messaging.operation.type': 'send',
    'messaging.destination.name': record.topic,
    ...(record.value === null && { 'messaging.kafka.message.tombstone': true }),
  };
  const kind = isCarried ? SpanKind.CLIENT : SpanKind.PRODUCER;
  const links = isCarried ? linksToCreation(record, parent) : [];
  const span = tracer.startSpan(`send ${record.topic}`, { kind, attributes, links }, active);
  return { record: withTrace(record, trace.setSpan(active, span)), span };
}

const headerGetter: TextMapGetter<OutgoingRecord> = {
  keys: ({ headers }) => Object.keys(headers ?? {}),
  get: ({ headers }, name) => headerText(headers, name.toLowerCase()),
};

/** None where the creation is in the trace of the sender anyway, as its parent. */
function linksToCreation(record: OutgoingRecord, sender: SpanContext): Link[] {
  const creation = trace.getSpanContext(propagation.extract(ROOT_CONTEXT, record, headerGetter));
  if (!creation || !isSpanContextValid(creation) || creation.spanId === sender.spanId) return [];
  return [{ context: creation }];
}

function withTrace(record: OutgoingRecord, from: Context): OutgoingRecord {
  if (headerText(record.headers, 'traceparent') !== undefined) return record;
  const headers = { ...record.headers };
  propagation.inject(from, headers);
  return { ...record, headers };
}
