import { type Attributes, type Meter, metrics } from '@opentelemetry/api';
import { PrometheusSerializer } from '@opentelemetry/exporter-prometheus';
import { resourceFromAttributes } from '@opentelemetry/resources';
import { MeterProvider, MetricReader } from '@opentelemetry/sdk-metrics';
import { messagingBuckets } from './catalogue/messaging-metrics.js';
import type { MetricDefinition } from './catalogue/metric-definition.js';
import { type MetricName, metricCatalogue } from './metric-catalogue.js';
import { processReadings } from './process-readings.js';

class ScrapedReader extends MetricReader {
  protected override async onForceFlush(): Promise<void> {}
  protected override async onShutdown(): Promise<void> {}
}

type Readings = Iterable<readonly [number, Attributes?]>;

export interface Metrics {
  /** Adds to a counter. */
  add(name: MetricName<'counter'>, by: number, labels?: Attributes): void;
  /** Records a duration in seconds, or another distribution. */
  record(name: MetricName<'histogram'>, value: number, labels?: Attributes): void;
  /** Declares where a gauge's values come from; called at each scrape. */
  observe(name: MetricName<'gauge'>, read: () => Readings): void;
  /** The Prometheus text format. */
  scrape(): Promise<string>;
}

export function createMetrics(service: string): Metrics {
  const reader = new ScrapedReader();
  const provider = new MeterProvider({
    resource: resourceFromAttributes({ 'service.name': service }),
    readers: [reader],
  });
  metrics.setGlobalMeterProvider(provider);
  const meter = provider.getMeter('tributary');
  const instruments = createInstruments(meter);
  const serializer = new PrometheusSerializer('', false, undefined, false, true);
  observeProcess(meter);
  return {
    add: (name, by, labels) => instruments.counters.get(name)?.add(by, labels),
    record: (name, value, labels) => instruments.histograms.get(name)?.record(value, labels),
    observe: (name, read) => observeGauge(meter, name, read),
    scrape: async () => serializer.serialize((await reader.collect()).resourceMetrics),
  };
}

const unitSuffixes: Readonly<Record<string, string>> = { s: '.seconds', By: '.bytes' };

const definitionOf = (name: MetricName): MetricDefinition => metricCatalogue[name];

/** The name with its unit, which this release of the Prometheus exporter does not append by itself. */
function exportedName(name: MetricName): string {
  return `${name}${unitSuffixes[definitionOf(name).unit] ?? ''}`;
}

/** Exported as counters, though the process only reads them off. */
const growing: ReadonlySet<MetricName> = new Set(['process.cpu.time']);

/** What Prometheus calls a metric; of a histogram without `_bucket`, `_sum` and `_count`. */
export function prometheusName(name: MetricName): string {
  const isCounter = definitionOf(name).kind === 'counter' || growing.has(name);
  return `${exportedName(name).replaceAll('.', '_')}${isCounter ? '_total' : ''}`;
}

function createInstruments(meter: Meter) {
  const counters = new Map<string, ReturnType<Meter['createCounter']>>();
  const histograms = new Map<string, ReturnType<Meter['createHistogram']>>();
  for (const name of Object.keys(metricCatalogue) as MetricName[]) {
    const { kind, description, unit, buckets = messagingBuckets } = definitionOf(name);
    if (kind === 'counter') counters.set(name, meter.createCounter(exportedName(name), { description, unit }));
    if (kind !== 'histogram') continue;
    const advice = { explicitBucketBoundaries: [...buckets] };
    histograms.set(name, meter.createHistogram(exportedName(name), { description, unit, advice }));
  }
  return { counters, histograms };
}

function observeGauge(meter: Meter, name: MetricName<'gauge' | 'process'>, read: () => Readings) {
  const { description, unit } = metricCatalogue[name];
  const options = { description, unit };
  const gauge = growing.has(name)
    ? meter.createObservableCounter(exportedName(name), options)
    : meter.createObservableGauge(exportedName(name), options);
  gauge.addCallback((result) => {
    for (const [value, labels] of read()) result.observe(value, labels);
  });
}

function observeProcess(meter: Meter): void {
  const readings = processReadings();
  for (const [name, read] of Object.entries(readings))
    observeGauge(meter, name as MetricName<'process'>, () => [[read()]]);
}
