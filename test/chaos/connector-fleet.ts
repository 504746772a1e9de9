import type { LiveState } from '@tributary/runtime';
import type { Environment } from '../../tools/start/environment.js';
import { type RunningService, type ServicePlan, untilReady } from '../../tools/start/services.js';

const readyWithinMs = 90_000;

const planOf = (name: string): ServicePlan => ({
  name,
  app: 'connector',
  env: { DESTINATION: 'http', EGRESS_ALLOW: '127.0.0.1/32', ORDERED_RETRIES: 'true', LOG_LEVEL: 'warn' },
});

/** Several instances of one connector, one consumer group. */
export class ConnectorFleet {
  private readonly running = new Map<string, RunningService>();

  constructor(private readonly environment: Environment) {}

  get names(): string[] {
    return [...this.running.keys()];
  }

  async start(name: string): Promise<void> {
    const service = await this.environment.launcher.start(planOf(name));
    this.running.set(name, service);
    await untilReady([service], readyWithinMs);
  }

  /** As a platform stops it: SIGTERM, and what the process does then. */
  async stop(name: string): Promise<void> {
    const { process } = this.of(name);
    process.kill('SIGTERM');
    await process.exited;
    this.running.delete(name);
  }

  async kill(name: string): Promise<void> {
    const { process } = this.of(name);
    process.kill('SIGKILL');
    await process.exited;
    this.running.delete(name);
  }

  async untilReady(): Promise<void> {
    await untilReady([...this.running.values()], readyWithinMs);
  }

  /** What each instance says of itself; one that is busy starting says nothing. */
  async states(): Promise<LiveState[]> {
    const answers = await Promise.all(
      [...this.running.values()].map(({ url }) => fetch(`${url}/state`, { signal: AbortSignal.timeout(5_000) })),
    );
    return Promise.all(answers.map(async (answer) => (await answer.json()) as LiveState));
  }

  /** The instance that owns a partition of the delivery topic. */
  async ownerOf(topic: string, partition: number): Promise<string | undefined> {
    for (const [name, { url }] of this.running) {
      const answer = await fetch(`${url}/debug/runtime`, { signal: AbortSignal.timeout(5_000) });
      const runtimes = (await answer.json()) as { partitions: { topic: string; partition: number }[] }[];
      const owned = runtimes.flatMap(({ partitions }) => partitions);
      if (owned.some((one) => one.topic === topic && one.partition === partition)) return name;
    }
    return undefined;
  }

  async metric(name: string): Promise<number> {
    const texts = await Promise.all(
      [...this.running.values()].map(async ({ url }) => (await fetch(`${url}/metrics`)).text()),
    );
    const lines = texts.flatMap((text) => text.split('\n').filter((line) => line.startsWith(`${name}{`)));
    return lines.reduce((sum, line) => sum + Number(line.split(' ').at(-1)), 0);
  }

  private of(name: string): RunningService {
    const service = this.running.get(name);
    if (!service) throw new Error(`${name} is not running; there are ${this.names}`);
    return service;
  }
}
