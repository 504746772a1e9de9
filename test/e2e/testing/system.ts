import { spawn } from 'node:child_process';
import { randomUUID } from 'node:crypto';
import { chmod, mkdtemp, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { RawRecord } from '@tributary/contracts';
import { type IncomingRecord, scanTopic } from '@tributary/kafka';
import { type OpenDataKeys, openDataKeys, PersonalReader, type SealedRow } from '@tributary/persistence';
import type { ProofReport } from '@tributary/proof';
import { eventually } from '@tributary/testing';
import { expect } from 'vitest';
import { repositoryRoot } from '../../../tools/local-stack/index.js';
import { order, untilSettled } from '../../../tools/start/demo.js';
import { type Environment, startEnvironment } from '../../../tools/start/environment.js';
import { liveReport } from './live-report.js';

/** Generous, because the machine is shared: a wait ends as soon as its condition holds. */
export const patienceMs = 60_000;

interface Effect {
  readonly id: string;
  readonly subject: string;
  readonly atMs: number;
  readonly summary: string;
}

export interface CommandResult {
  readonly code: number | null;
  readonly stdout: string;
  readonly stderr: string;
}

/** The whole system on a stack of its own, and the doors that tests go through. */
export class System {
  private readonly held: OpenDataKeys;
  private readonly personal: PersonalReader;

  private constructor(readonly environment: Environment) {
    this.held = openDataKeys({
      databaseUrl: environment.stack.postgres.url,
      keysDatabaseUrl: undefined,
      keysFile: environment.launcher.environment.LEDGER_KEYS_FILE ?? '',
      applicationName: 'e2e',
      onIdleError: () => undefined,
    });
    this.personal = new PersonalReader(this.held.dataKeys);
  }

  static async start(serviceEnv: Readonly<Record<string, string>>): Promise<System> {
    const dataDir = await mkdtemp(join(tmpdir(), 'tributary-e2e-'));
    await chmod(dataDir, 0o755); // run by root, PostgreSQL's own account has to enter it
    // Explicit ports in the environment are meant for `npm start`, which may be running at the same time.
    const { TRIBUTARY_KAFKA_PORT, TRIBUTARY_REGISTRY_PORT, TRIBUTARY_POSTGRES_PORT, ...env } = process.env;
    const environment = await startEnvironment({ dataDir, wipe: true, env, serviceEnv });
    environment.stack.supervisor.removeAtEnd(dataDir);
    return new System(environment);
  }

  async stop(): Promise<void> {
    await this.held.close();
    await this.environment.stop();
  }

  get ingressUrl(): string {
    return this.service('ingress').url;
  }

  service(name: string) {
    const service = this.environment.services.get(name);
    if (!service) throw new Error(`${name} is not running; there are ${[...this.environment.services.keys()]}`);
    return service;
  }

  /** The environment that services and the command line have. */
  get variables(): Readonly<Record<string, string>> {
    const { launcher, sandbox } = this.environment;
    return { ...launcher.environment, SANDBOX_URL: sandbox.url };
  }

  /** Runs the built command line as an operator would. */
  tributary(...args: readonly string[]): Promise<CommandResult> {
    const main = join(repositoryRoot(), 'dist/tools/cli/main.js');
    const child = spawn(process.execPath, [main, ...args], {
      env: { ...process.env, ...this.variables, TRIBUTARY_ACTOR: 'tester', NO_COLOR: '1' },
      stdio: ['ignore', 'pipe', 'pipe'],
    });
    const text = { stdout: '', stderr: '' };
    for (const name of ['stdout', 'stderr'] as const) {
      child[name].setEncoding('utf8').on('data', (chunk: string) => {
        text[name] += chunk;
      });
    }
    return new Promise((resolve, reject) => {
      child.once('error', reject);
      child.once('close', (code) => resolve({ code, ...text }));
    });
  }

  /** Applies what the YAML says, as `tributary apply` does. */
  async applyText(yaml: string): Promise<void> {
    const file = join(this.environment.stack.dataDir, `applied-${randomUUID()}.yaml`);
    await writeFile(file, yaml);
    await this.environment.apply([file]);
  }

  /** Everything that a topic holds now. */
  async recordsOf(topic: string): Promise<IncomingRecord[]> {
    const records: IncomingRecord[] = [];
    const { client } = this.environment.platform;
    await scanTopic({ client, topic, onRecord: (record) => records.push(record) });
    return records;
  }

  async rawRecordsOf(topic: string): Promise<RawRecord[]> {
    const { codec } = this.environment.platform;
    const values = (await this.recordsOf(topic)).flatMap(({ value }) => (value ? [value] : []));
    return Promise.all(
      values.map(async (value) => (await codec.decode<RawRecord>(value, 'tributary.raw.RawRecord')).value),
    );
  }

  /** What took effect at a receiver of the sandbox, and how often each was asked for. */
  async effectsAt(receiver: string): Promise<readonly Effect[]> {
    const answer = await fetch(`${this.environment.sandbox.url}/effects/${receiver}`);
    return ((await answer.json()) as { list: Effect[] }).list;
  }

  /** Effects of one event, by its CloudEvents id. */
  async effectsOf(receiver: string, eventId: string): Promise<readonly Effect[]> {
    return (await this.effectsAt(receiver)).filter(({ summary }) => summary.endsWith(` ${eventId}`));
  }

  untilDelivered(receiver: string, eventId: string, timeoutMs = patienceMs): Promise<Effect> {
    const delivery = async () => {
      const [effect] = await this.effectsOf(receiver, eventId);
      if (!effect) throw new Error('it is not there');
      return effect;
    };
    return this.orReport(eventually(delivery, { timeoutMs, what: `event ${eventId} at ${receiver}` }));
  }

  /** A failure that comes once in many runs must say then what everything was waiting for. */
  private async orReport<T>(act: Promise<T>): Promise<T> {
    try {
      return await act;
    } catch (error) {
      throw new Error(`${(error as Error).message}\n${await this.liveReport()}`, { cause: error });
    }
  }

  private liveReport(): Promise<string> {
    const { services, stack } = this.environment;
    return liveReport(services.values(), stack.dataDir);
  }

  async fault(receiver: string, fault: Readonly<Record<string, unknown>>): Promise<void> {
    await order(this.environment, 'PUT', `/faults/${receiver}`, fault);
  }

  /** Rows of a query that selects all columns of the ledger, with what is personal in them decrypted. */
  async facts<Row extends Record<string, unknown>>(statement: string, values: unknown[] = []): Promise<Row[]> {
    const rows = await this.environment.database.query<SealedRow & Row>(statement, values);
    const readings = await this.personal.open(rows);
    return rows.map((row, i) => {
      const reading = readings[i];
      return { ...row, ...(reading?.state === 'open' && reading.fields) };
    });
  }

  /** Proves once nothing waits any more. */
  proof(): Promise<ProofReport> {
    return untilSettled(this.environment, Date.now() + patienceMs);
  }

  async expectProofCloses(): Promise<ProofReport> {
    const report = await this.proof();
    const state = report.closes ? '' : await this.liveReport();
    expect(report.findings, state).toEqual([]);
    expect(report.closes, state).toBe(true);
    return report;
  }

  query<T extends Record<string, unknown>>(text: string, values: readonly unknown[] = []): Promise<T[]> {
    return this.environment.database.query<T>(text, [...values]);
  }
}
