import {
  type Context,
  context,
  propagation,
  ROOT_CONTEXT,
  type Span,
  SpanKind,
  SpanStatusCode,
  type TextMapGetter,
  trace,
} from '@opentelemetry/api';
import { headerText, type IncomingRecord } from '../records.js';

const tracer = trace.getTracer('@tributary/kafka');

const mostLinks = 128;

const headerGetter: TextMapGetter<IncomingRecord> = {
  keys: (record) => Object.keys(record.rawHeaders),
  get: (record, name) => headerText(record.rawHeaders, name.toLowerCase()),
};

export interface ProcessSpan {
  readonly span: Span;
  readonly context: Context;
}

/** One span per attempt. Records come singly and no span is around them, so the creation context is the parent, not a link. */
export function startProcessSpan(record: IncomingRecord, group: string, attempt: number): ProcessSpan {
  const parent = propagation.extract(ROOT_CONTEXT, record, headerGetter);
  const span = tracer.startSpan(`process ${record.topic}`, { kind: SpanKind.CONSUMER }, parent);
  if (span.isRecording()) {
    span.setAttributes({
      'messaging.system': 'kafka',
      'messaging.operation.name': 'process',
      'messaging.operation.type': 'process',
      'messaging.destination.name': record.topic,
      'messaging.destination.partition.id': String(record.partition),
      'messaging.consumer.group.name': group,
      'messaging.kafka.offset': Number(record.offset),
      'tributary.attempt': attempt,
    });
    if (record.key) span.setAttribute('messaging.kafka.message.key', record.key.toString('utf8'));
    if (record.value === null) span.setAttribute('messaging.kafka.message.tombstone', true);
  }
  return { span, context: trace.setSpan(parent, span) };
}

/** One span for all of them: links to where they were made, of which a span has 128 at most, and no parent. */
export function startBatchSpan(records: readonly IncomingRecord[], group: string): ProcessSpan {
  const [first] = records;
  const span = tracer.startSpan(`process ${first?.topic}`, { kind: SpanKind.CONSUMER, root: true });
  if (span.isRecording() && first) {
    span.setAttributes({
      'messaging.system': 'kafka',
      'messaging.operation.name': 'process',
      'messaging.operation.type': 'process',
      'messaging.destination.name': first.topic,
      'messaging.destination.partition.id': String(first.partition),
      'messaging.consumer.group.name': group,
      'messaging.batch.message_count': records.length,
    });
    for (const record of records.slice(0, mostLinks)) {
      const creation = trace.getSpanContext(propagation.extract(ROOT_CONTEXT, record, headerGetter));
      if (creation) span.addLink({ context: creation });
    }
  }
  return { span, context: trace.setSpan(ROOT_CONTEXT, span) };
}

export function runInSpan<T>({ context: active }: ProcessSpan, act: () => T): T {
  return context.with(active, act);
}

export function endProcessSpan({ span }: ProcessSpan, settlement: string, error?: unknown): void {
  if (span.isRecording()) {
    span.setAttribute('tributary.settlement', settlement);
    if (error !== undefined) {
      span.setStatus({ code: SpanStatusCode.ERROR, message: error instanceof Error ? error.message : String(error) });
      span.setAttribute('error.type', error instanceof Error ? error.name : typeof error);
    }
  }
  span.end();
}
