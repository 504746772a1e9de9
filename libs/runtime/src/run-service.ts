import 'reflect-metadata';
import { hostname } from 'node:os';
import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import {
  describeSettings,
  InvalidSettings,
  platformSettings,
  readSettings,
  type Setting,
  type ValuesOf,
} from '@tributary/config';
import type { RuntimeSnapshot } from '@tributary/kafka';
import { createLogger, createMetrics, type Logger, type Metrics, startTracing } from '@tributary/telemetry';
import { Health, type Unreadiness } from './health.js';
import { HealthServer } from './health-server.js';

type SettingTable = Readonly<Record<string, Setting<unknown>>>;
export type PlatformValues = ValuesOf<typeof platformSettings>;

export interface ServiceContext<S extends SettingTable> {
  readonly name: string;
  /** Who acts, in audit records and logs: `<service>/<instance>`. */
  readonly actor: string;
  readonly instance: string;
  readonly settings: PlatformValues & ValuesOf<S>;
  readonly logger: Logger;
  readonly metrics: Metrics;
  /** Ends the process with a non-zero exit after an attempt at an orderly stop. */
  readonly onFatal: (error: Error) => void;
}

export interface RunningService {
  /** Empty when the service can take work. */
  whyNotReady(): Unreadiness;
  snapshot?(): RuntimeSnapshot[];
  /** Where the service serves the operational endpoints itself; the runtime then opens no port. */
  serveHealth?(health: Health): Promise<{ readonly port: number }>;
  /** Finishes what is in flight, in the static order of the service, within the limit. */
  stop(deadlineMs: number): Promise<void>;
}

export interface ServiceDefinition<S extends SettingTable> {
  readonly name: string;
  readonly settings: S;
  start(context: ServiceContext<S>): Promise<RunningService>;
}

/** Runs one service until it is told to stop. The only place that touches signals and exit codes. */
export async function runService<S extends SettingTable>(definition: ServiceDefinition<S>): Promise<void> {
  const table = { ...platformSettings, ...definition.settings };
  const settings = readOrExit(table) as PlatformValues & ValuesOf<S>;
  const instance = settings.instance ?? `${hostname()}-${process.pid}`;
  const logger = createLogger({ service: definition.name, instance, level: settings.logLevel });
  const metrics = createMetrics(definition.name);
  const tracing = await startTracing({
    service: definition.name,
    instance,
    endpoint: settings.otlpEndpoint,
    ratio: settings.traceRatio,
  });
  logger.info({ settings: describeSettings(table), node: process.version }, 'service.starting');

  const lifecycle = new Lifecycle(logger, settings.shutdownMs);
  // Before the start, which waits for Kafka: a process that waits is alive, and says what for.
  let service: RunningService | undefined;
  const health = new Health({
    whyNotReady: () => service?.whyNotReady() ?? ['it starts: it connects to Kafka and reads its tables'],
    metrics,
    snapshot: () => service?.snapshot?.(),
  });
  const waiting = await HealthServer.listen(health, settings.host, settings.port).catch((error: Error) =>
    exitAfterLog(logger, error, 'service.port-unavailable'),
  );
  const started = await definition
    .start({
      name: definition.name,
      actor: `${definition.name}/${instance}`,
      instance,
      settings,
      logger,
      metrics,
      onFatal: (error) => lifecycle.fail(error),
    })
    .catch((error: Error) => exitAfterLog(logger, error, 'service.start-failed'));
  // One that has an HTTP API of its own takes the port over.
  if (started.serveHealth) await waiting.close();
  service = started;
  health.endStart();
  const own = started.serveHealth ? await started.serveHealth(health) : waiting;
  lifecycle.onStop(async (deadlineMs) => {
    health.beginShutdown();
    await started.stop(deadlineMs);
    if (own === waiting) await waiting.close();
    await tracing.shutdown();
  });
  logger.info({ port: own.port }, 'service.started');
  releaseStartupMemory();
}

/**
 * Loading modules leaves twenty megabytes of garbage that an idle process would keep for good. One full collection gives
 * them back without making the young generation small, which would cost a busy service a fifth of its time.
 */
function releaseStartupMemory(): void {
  setFlagsFromString('--expose-gc');
  const collect = runInNewContext('gc') as () => void;
  // Again when consumers have joined their groups and read what they follow: that is the last of the start.
  for (const afterMs of collectAfterMs) setTimeout(collect, afterMs).unref();
}

const collectAfterMs = [0, 700, 3_000];

function readOrExit(table: SettingTable): unknown {
  try {
    return readSettings(table);
  } catch (error) {
    if (!(error instanceof InvalidSettings)) throw error;
    process.stderr.write(`${error.message}\n`);
    process.exit(78);
  }
}

function exitAfterLog(logger: Logger, error: Error, event: string): never {
  logger.fatal({ error }, event);
  process.exit(1);
}

type Stop = (deadlineMs: number) => Promise<void>;

/** After SHUTDOWN_MS, for closing connections; then the process ends whatever hangs. */
export const stopMarginMs = 5_000;

class Lifecycle {
  private stop: Stop = async () => undefined;
  private stopping = false;

  constructor(
    private readonly logger: Logger,
    private readonly shutdownMs: number,
  ) {
    for (const signal of ['SIGTERM', 'SIGINT'] as const) process.on(signal, () => this.signalled(signal));
    process.on('uncaughtException', (error) => this.fail(error));
    process.on('unhandledRejection', (reason) =>
      this.fail(reason instanceof Error ? reason : new Error(String(reason))),
    );
  }

  onStop(stop: Stop): void {
    this.stop = stop;
  }

  fail(error: Error): void {
    this.logger.fatal({ error }, 'service.failed');
    if (this.stopping) process.exit(1);
    void this.end(1);
  }

  private signalled(signal: string): void {
    if (this.stopping) {
      this.logger.warn({ signal }, 'service.stopped-at-once');
      process.exit(1);
    }
    this.logger.info({ signal }, 'service.stopping');
    void this.end(0);
  }

  private async end(exitCode: number): Promise<void> {
    this.stopping = true;
    // A stop that hangs must not keep the process: what was not committed is done again by the next owner.
    const limit = setTimeout(() => {
      this.logger.error({ shutdownMs: this.shutdownMs }, 'service.stop-timed-out');
      process.exit(1);
    }, this.shutdownMs + stopMarginMs);
    try {
      await this.stop(this.shutdownMs);
    } catch (error) {
      this.logger.error({ error }, 'service.stop-failed');
      process.exit(1);
    }
    clearTimeout(limit);
    this.logger.info({}, 'service.stopped');
    process.exit(exitCode);
  }
}
