import {
  type Context,
  context,
  isSpanContextValid,
  propagation,
  type Span,
  SpanKind,
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
 * Opens a PRODUCER span when the caller's context is sampled and puts the trace into the headers, unless the caller did: the
 * context in which an event was created is never replaced.
 */
export function traceSend(record: OutgoingRecord): TracedRecord {
  const active = context.active();
  const parent = trace.getSpanContext(active);
  if (!parent || !isSpanContextValid(parent)) return { record };
  if (!(parent.traceFlags & TraceFlags.SAMPLED)) return { record: withTrace(record, active) };
  const span = tracer.startSpan(
    `send ${record.topic}`,
    {
      kind: SpanKind.PRODUCER,
      attributes: {
        'messaging.system': 'kafka',
        'messaging.operation.name': 'send',
        'messaging.operation.type': 'send',
        'messaging.destination.name': record.topic,
        ...(record.value === null && { 'messaging.kafka.message.tombstone': true }),
      },
    },
    active,
  );
  return { record: withTrace(record, trace.setSpan(active, span)), span };
}

function withTrace(record: OutgoingRecord, from: Context): OutgoingRecord {
  if (headerText(record.headers, 'traceparent') !== undefined) return record;
  const headers = { ...record.headers };
  propagation.inject(from, headers);
  return { ...record, headers };
}
