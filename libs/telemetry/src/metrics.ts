import { type Attributes, type Meter, metrics } from '@opentelemetry/api';
import { PrometheusSerializer } from '@opentelemetry/exporter-prometheus';
import { resourceFromAttributes } from '@opentelemetry/resources';
import { AggregationType, InstrumentType, MeterProvider, MetricReader } from '@opentelemetry/sdk-metrics';
import { type MetricName, metricCatalogue } from './metric-catalogue.js';

/** Buckets of the OpenTelemetry messaging conventions, in seconds. */
const durationBuckets = [0.005, 0.01, 0.025, 0.05, 0.075, 0.1, 0.25, 0.5, 0.75, 1, 2.5, 5, 7.5, 10];

class ScrapedReader extends MetricReader {
  protected override async onForceFlush(): Promise<void> {}
  protected override async onShutdown(): Promise<void> {}
}

export interface Metrics {
  /** Adds to a counter. */
  add(name: MetricName<'counter'>, by: number, labels?: Attributes): void;
  /** Records a duration in seconds, or another distribution. */
  record(name: MetricName<'histogram'>, value: number, labels?: Attributes): void;
  /** Declares where a gauge's values come from; called at each scrape. */
  observe(name: MetricName<'gauge'>, read: () => Iterable<readonly [number, Attributes?]>): void;
  /** The Prometheus text format. */
  scrape(): Promise<string>;
}

export function createMetrics(service: string): Metrics {
  const reader = new ScrapedReader();
  const provider = new MeterProvider({
    resource: resourceFromAttributes({ 'service.name': service }),
    readers: [reader],
    views: [
      {
        instrumentUnit: 's',
        instrumentType: InstrumentType.HISTOGRAM,
        aggregation: { type: AggregationType.EXPLICIT_BUCKET_HISTOGRAM, options: { boundaries: durationBuckets } },
      },
    ],
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

/** The name with its unit, which this release of the Prometheus exporter does not append by itself. */
export function exportedName(name: keyof typeof metricCatalogue): string {
  return `${name}${unitSuffixes[metricCatalogue[name].unit] ?? ''}`;
}

function createInstruments(meter: Meter) {
  const counters = new Map<string, ReturnType<Meter['createCounter']>>();
  const histograms = new Map<string, ReturnType<Meter['createHistogram']>>();
  for (const name of Object.keys(metricCatalogue) as (keyof typeof metricCatalogue)[]) {
    const { kind, description, unit } = metricCatalogue[name];
    if (kind === 'counter') counters.set(name, meter.createCounter(exportedName(name), { description, unit }));
    if (kind === 'histogram') histograms.set(name, meter.createHistogram(exportedName(name), { description, unit }));
  }
  return { counters, histograms };
}

function observeGauge(meter: Meter, name: MetricName<'gauge'>, read: () => Iterable<readonly [number, Attributes?]>) {
  const { description, unit } = metricCatalogue[name];
  meter.createObservableGauge(exportedName(name), { description, unit }).addCallback((result) => {
    for (const [value, labels] of read()) result.observe(value, labels);
  });
}

function observeProcess(meter: Meter): void {
  observeGauge(meter, 'process.memory.usage', () => [[process.memoryUsage.rss()]]);
  meter
    .createObservableCounter(exportedName('process.cpu.time'), {
      description: metricCatalogue['process.cpu.time'].description,
      unit: 's',
    })
    .addCallback((result) => {
      const { user, system } = process.cpuUsage();
      result.observe((user + system) / 1e6);
    });
}
