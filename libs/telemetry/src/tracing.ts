import { context, propagation, trace } from '@opentelemetry/api';
import { AsyncLocalStorageContextManager } from '@opentelemetry/context-async-hooks';
import { W3CTraceContextPropagator } from '@opentelemetry/core';
import { resourceFromAttributes } from '@opentelemetry/resources';
import {
  BatchSpanProcessor,
  ParentBasedSampler,
  type SpanProcessor,
  TraceIdRatioBasedSampler,
  TracerProvider,
} from '@opentelemetry/sdk-trace';

export interface TracingOptions {
  readonly service: string;
  readonly instance: string;
  /** Base address of an OTLP/HTTP collector. Absent: contexts still travel in headers, spans go nowhere. */
  readonly endpoint: string | undefined;
  /** Share of new traces that are sampled, 0 to 1. A parent's decision is followed. */
  readonly ratio: number;
}

export interface Tracing {
  shutdown(): Promise<void>;
}

/** Sets the global tracer, context manager and W3C propagator. Call once, before anything is traced. */
export async function startTracing({ service, instance, endpoint, ratio }: TracingOptions): Promise<Tracing> {
  const provider = new TracerProvider({
    resource: resourceFromAttributes({ 'service.name': service, 'service.instance.id': instance }),
    sampler: new ParentBasedSampler({ root: new TraceIdRatioBasedSampler(ratio) }),
    spanProcessors: endpoint ? [await otlpProcessor(endpoint)] : [],
  });
  context.setGlobalContextManager(new AsyncLocalStorageContextManager().enable());
  propagation.setGlobalPropagator(new W3CTraceContextPropagator());
  trace.setGlobalTracerProvider(provider);
  return { shutdown: () => provider.shutdown() };
}

// Loaded only when spans go somewhere: the exporter costs several megabytes of memory in every service.
async function otlpProcessor(endpoint: string): Promise<SpanProcessor> {
  const { OTLPTraceExporter } = await import('@opentelemetry/exporter-trace-otlp-http');
  return new BatchSpanProcessor({
    exporter: new OTLPTraceExporter({ url: new URL('v1/traces', `${endpoint.replace(/\/$/, '')}/`).href }),
  });
}

/** Trace id of the active span as 32 hex digits; undefined outside any trace. */
export function activeTraceId(): string | undefined {
  const id = trace.getActiveSpan()?.spanContext().traceId;
  return id && !/^0+$/.test(id) ? id : undefined;
}
