import { monitorEventLoopDelay, performance } from 'node:perf_hooks';
import { getHeapStatistics } from 'node:v8';
import type { MetricName } from './metric-catalogue.js';

/** A timer that often looks how late it is: rarely enough that an idle process stays idle. */
const resolutionMs = 20;
/** One scrape reads several values; they are of the same moment, and a second scraper at once does not empty them. */
const windowMs = 500;

/** What is read off the process at each scrape. */
export function processReadings(): Record<MetricName<'process'>, () => number> {
  const eventLoop = eventLoopReadings();
  return {
    'process.memory.usage': () => process.memoryUsage.rss(),
    'process.cpu.time': () => {
      const { user, system } = process.cpuUsage();
      return (user + system) / 1e6;
    },
    'nodejs.eventloop.delay.p50': () => eventLoop().p50,
    'nodejs.eventloop.delay.p99': () => eventLoop().p99,
    'nodejs.eventloop.utilization': () => eventLoop().utilization,
    'v8js.memory.heap.used': () => process.memoryUsage().heapUsed,
    'v8js.memory.heap.limit': () => getHeapStatistics().heap_size_limit,
  };
}

function eventLoopReadings() {
  const delay = monitorEventLoopDelay({ resolution: resolutionMs });
  delay.enable();
  let since = performance.eventLoopUtilization();
  let latest = { atMs: Number.NEGATIVE_INFINITY, p50: 0, p99: 0, utilization: 0 };
  // It measures from one look to the next, of which its own interval is a part.
  const late = (nanoseconds: number) => Math.max(0, nanoseconds / 1e9 - resolutionMs / 1000);
  return () => {
    const atMs = performance.now();
    if (atMs - latest.atMs < windowMs) return latest;
    const now = performance.eventLoopUtilization();
    const { utilization } = performance.eventLoopUtilization(now, since);
    latest = {
      atMs,
      p50: late(delay.percentile(50)),
      p99: late(delay.percentile(99)),
      utilization: Number.isFinite(utilization) ? utilization : 0,
    };
    since = now;
    delay.reset();
    return latest;
  };
}
