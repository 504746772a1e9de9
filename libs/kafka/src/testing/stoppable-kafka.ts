import { execFileSync } from 'node:child_process';
import { existsSync, readFileSync } from 'node:fs';
import { mkdtemp, rm } from 'node:fs/promises';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { eventually } from '@tributary/testing';
import { type LocalStack, startLocalStack } from '../../../../tools/local-stack/index.js';

/** A broker of its own that a test stops and starts again, on the same port and data. */
export class StoppableKafka {
  private stack: LocalStack | undefined;

  private constructor(
    private readonly dataDir: string,
    private readonly port: number,
  ) {}

  /** Reserves a place; the broker is not started. */
  static async create(): Promise<StoppableKafka> {
    return new StoppableKafka(await mkdtemp(join(tmpdir(), 'tributary-kafka-')), await freePort());
  }

  get brokers(): string[] {
    return [`127.0.0.1:${this.port}`];
  }

  async start(): Promise<void> {
    this.stack = await startLocalStack({ dataDir: this.dataDir, parts: ['kafka'], ports: { kafka: this.port } });
  }

  async stop(): Promise<void> {
    await this.stack?.stop();
    this.stack = undefined;
  }

  /** The broker keeps its connections and answers nothing, until `resume`. Resolves when it stands still: the signal takes its time. */
  async freeze(): Promise<void> {
    const broker = this.stack?.processes.get('kafka');
    if (!broker) throw new Error('the broker is not running');
    broker.kill('SIGSTOP');
    await eventually(() => stateOf(broker.pid).startsWith('T'));
  }

  resume(): void {
    this.stack?.processes.get('kafka')?.kill('SIGCONT');
  }

  async remove(): Promise<void> {
    await this.stop();
    await rm(this.dataDir, { recursive: true, force: true });
  }
}

/** `T`: stopped by a signal. */
function stateOf(pid: number): string {
  // A small image may have no `ps`.
  if (existsSync('/proc/self/stat')) return readFileSync(`/proc/${pid}/stat`, 'utf8').split(') ').at(-1) ?? '';
  return execFileSync('ps', ['-o', 'state=', '-p', String(pid)], { encoding: 'utf8' }).trim();
}

function freePort(): Promise<number> {
  return new Promise((resolve, reject) => {
    const server = createServer();
    server.once('error', reject);
    server.listen(0, '127.0.0.1', () => {
      const { port } = server.address() as { port: number };
      server.close(() => resolve(port));
    });
  });
}
