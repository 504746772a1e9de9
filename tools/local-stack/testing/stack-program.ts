import { type ChildProcess, spawn } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { eventually } from '@tributary/testing';
import { familyOf } from './processes.js';

export interface Addresses {
  readonly brokers: string[];
  readonly registry: string;
  readonly postgres: string;
}

/** The command `npm run stack`, as a process group of its own, the way a shell starts it. */
export class StackProgram {
  output = '';
  readonly exitCode: Promise<number | null>;
  private readonly child: ChildProcess;

  constructor(
    readonly dataDir: string,
    args: readonly string[] = [],
    env: Readonly<Record<string, string>> = {},
  ) {
    const inThisFolder = (path: string) => fileURLToPath(new URL(path, import.meta.url));
    const command = ['--import', inThisFolder('./run-from-source.mjs'), inThisFolder('../main.ts')];
    const { TRIBUTARY_KAFKA_PORT, TRIBUTARY_REGISTRY_PORT, TRIBUTARY_POSTGRES_PORT, ...inherited } = process.env;
    this.child = spawn(process.execPath, [...command, '--data-dir', dataDir, ...args], {
      detached: true,
      stdio: ['ignore', 'pipe', 'pipe'],
      env: { ...inherited, ...env },
    });
    for (const stream of [this.child.stdout, this.child.stderr]) {
      stream?.on('data', (chunk: Buffer) => {
        this.output += chunk.toString('utf8');
      });
    }
    this.exitCode = new Promise((resolve) => this.child.once('close', resolve));
  }

  get pid(): number {
    return this.child.pid!;
  }

  async addresses(): Promise<Addresses> {
    let ended = false;
    void this.exitCode.then(() => {
      ended = true;
    });
    await eventually(() => ended || this.output.includes('Ctrl-C stops'), { timeoutMs: 120_000, what: 'the stack' });
    if (ended) throw new Error(`the stack did not start:\n${this.output}`);
    const exported = (name: string) => new RegExp(`^export ${name}=(.*)$`, 'm').exec(this.output)![1]!;
    return {
      brokers: exported('KAFKA_BROKERS').split(','),
      registry: exported('SCHEMA_REGISTRY_URL'),
      postgres: exported('DATABASE_URL'),
    };
  }

  /** This process, the supervisor and everything below it. */
  family(): number[] {
    const lock = JSON.parse(readFileSync(join(this.dataDir, 'stack.lock'), 'utf8')) as { supervisor: number };
    return [...new Set([...familyOf(this.pid), ...familyOf(lock.supervisor)])];
  }

  killWithoutWarning(): void {
    process.kill(this.pid, 'SIGKILL');
  }

  /** What a terminal does: the signal goes to the whole group. */
  pressCtrlC(): void {
    process.kill(-this.pid, 'SIGINT');
  }
}
