import { context, propagation, SpanKind, trace } from '@opentelemetry/api';
import { AsyncLocalStorageContextManager } from '@opentelemetry/context-async-hooks';
import { W3CTraceContextPropagator } from '@opentelemetry/core';
import { InMemorySpanExporter, SimpleSpanProcessor, TracerProvider } from '@opentelemetry/sdk-trace';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { FetchedRecord } from './consumer/fetched-record.js';
import { endProcessSpan, runInSpan, startProcessSpan } from './consumer/process-span.js';
import { traceSend } from './producer/send-span.js';
import type { IHeaders } from './records.js';

const exporter = new InMemorySpanExporter();
const provider = new TracerProvider({ spanProcessors: [new SimpleSpanProcessor({ exporter })] });
const traceId = '0af7651916cd43dd8448eb211c80319c';
const traceparent = `00-${traceId}-b7ad6b7169203331-01`;
const unsampled = `00-${traceId}-b7ad6b7169203331-00`;
const value = Buffer.from('v');

beforeAll(() => {
  context.setGlobalContextManager(new AsyncLocalStorageContextManager().enable());
  propagation.setGlobalPropagator(new W3CTraceContextPropagator());
  trace.setGlobalTracerProvider(provider);
});
afterEach(() => exporter.reset());
afterAll(() => {
  trace.disable();
  propagation.disable();
  context.disable();
});

const received = (headers: IHeaders) =>
  new FetchedRecord('main', 2, { offset: '7', timestamp: '1', key: Buffer.from('k'), value: null, headers });
const within = <T>(parent: string, act: () => T): T =>
  context.with(propagation.extract(context.active(), { traceparent: parent }), act);

describe('the span of an attempt', () => {
  it.each([
    ['lower case', 'traceparent'],
    ['any case', 'TraceParent'],
  ])('continues the trace of the record, header in %s', (_, name) => {
    const span = startProcessSpan(received({ [name]: Buffer.from(traceparent) }), 'g', 2);
    const inside = runInSpan(span, () => trace.getActiveSpan()?.spanContext().traceId);
    endProcessSpan(span, 'commit');
    expect(inside).toBe(traceId);
    const [finished] = exporter.getFinishedSpans();
    expect(finished).toMatchObject({ name: 'process main', kind: SpanKind.CONSUMER });
    expect(finished?.parentSpanContext?.spanId).toBe('b7ad6b7169203331');
    expect(finished?.attributes).toMatchObject({
      'messaging.system': 'kafka',
      'messaging.operation.type': 'process',
      'messaging.destination.name': 'main',
      'messaging.destination.partition.id': '2',
      'messaging.consumer.group.name': 'g',
      'messaging.kafka.offset': 7,
      'messaging.kafka.message.key': 'k',
      'messaging.kafka.message.tombstone': true,
    });
  });

  it.each(['', 'garbage', '00-0-0-01', `${traceparent}-x`.repeat(500)])(
    'starts a trace of its own when the header is unreadable: %.20s',
    (header) => {
      const span = startProcessSpan(received({ traceparent: header }), 'g', 1);
      endProcessSpan(span, 'commit');
      expect(exporter.getFinishedSpans()[0]?.parentSpanContext).toBeUndefined();
    },
  );
});

describe('the span of a send', () => {
  it('is there, and travels, when the caller is in a sampled trace', () => {
    const { record, span } = within(traceparent, () => traceSend({ topic: 't', key: null, value }));
    span?.end();
    expect(exporter.getFinishedSpans()[0]).toMatchObject({ name: 'send t', kind: SpanKind.PRODUCER });
    expect(record.headers?.traceparent).toBe(`00-${traceId}-${span?.spanContext().spanId}-01`);
  });

  it('is left out in an unsampled trace, which travels all the same', () => {
    const { record, span } = within(unsampled, () => traceSend({ topic: 't', key: null, value }));
    expect(span).toBeUndefined();
    expect(record.headers?.traceparent).toBe(unsampled);
  });

  it.each(['', 'garbage', '00-0-0-01'])('has no link to a creation that nobody can read: %s', (created) => {
    const { span } = within(traceparent, () =>
      traceSend({ topic: 't', key: null, value, headers: { traceparent: created } }),
    );
    span?.end();
    expect(exporter.getFinishedSpans()[0]).toMatchObject({ kind: SpanKind.CLIENT, links: [] });
  });

  it('is left out without a trace', () => {
    const given = { topic: 't', key: null, value };
    expect(traceSend(given)).toEqual({ record: given });
  });

  it('never replaces the context in which the event was created', () => {
    const created = `00-${'1'.repeat(32)}-${'2'.repeat(16)}-01`;
    const { record, span } = within(traceparent, () =>
      traceSend({ topic: 't', key: null, value, headers: { TraceParent: created } }),
    );
    span?.end();
    expect(record.headers).toEqual({ TraceParent: created });
    const [sent] = exporter.getFinishedSpans();
    expect(sent?.kind).toBe(SpanKind.CLIENT);
    expect(sent?.links.map(({ context: linked }) => linked.spanId)).toEqual(['2'.repeat(16)]);
  });
});
