import { type ChildProcess, spawn } from 'node:child_process';
import { closeSync, mkdirSync, openSync } from 'node:fs';
import { dirname, extname } from 'node:path';
import { fileURLToPath } from 'node:url';
import { LocalStackError } from './errors.js';
import type { ProcessExit, ProcessSpec, SupervisorEvent, SupervisorRequest } from './supervisor-protocol.js';

export type { ProcessExit, ProcessSpec } from './supervisor-protocol.js';

export interface SupervisedProcess {
  readonly name: string;
  readonly pid: number;
  /** What it was started with: spawned again after its end, the process is back on its ports and data. */
  readonly spec: ProcessSpec;
  /** Settles once, when the process has ended for whatever reason. Never rejects. */
  readonly exited: Promise<ProcessExit>;
  /** Sends one signal. A process that has already ended is left alone. */
  kill(signal: NodeJS.Signals): void;
  /** The orderly end: stop signal, time limit, SIGKILL to its group. */
  stop(): Promise<ProcessExit>;
}

interface Pending {
  readonly spec: ProcessSpec;
  started(pid: number): void;
  refused(error: Error): void;
  ended(exit: ProcessExit): void;
  pid?: number;
}

/**
 * Starts processes that cannot outlive the caller. They are children of a separate supervisor process that ends them
 * all when this process calls `stop`, exits, crashes or is killed with -9.
 */
export class Supervisor {
  readonly pid: number;
  /** Settles when the supervisor and with it every process has ended. */
  readonly ended: Promise<void>;
  private readonly child: ChildProcess;
  private readonly pending = new Map<number, Pending>();
  private nextId = 1;

  constructor({ logFile }: { logFile: string }) {
    this.child = forkSupervisor(logFile);
    if (this.child.pid === undefined) throw new LocalStackError('the supervisor process cannot be started');
    this.pid = this.child.pid;
    this.ended = new Promise((resolve) => {
      this.child.once('exit', () => {
        this.afterEnd();
        resolve();
      });
    });
    this.child.on('message', (event) => this.onEvent(event as SupervisorEvent));
  }

  spawn(spec: ProcessSpec): Promise<SupervisedProcess> {
    const id = this.nextId++;
    const { name } = spec;
    return new Promise((resolve, reject) => {
      let ended: (exit: ProcessExit) => void = () => undefined;
      const exited = new Promise<ProcessExit>((settle) => {
        ended = settle;
      });
      const kill = (signal: NodeJS.Signals) => this.ask({ kind: 'signal', id, signal });
      const stop = () => {
        this.ask({ kind: 'stop', id });
        return exited;
      };
      this.pending.set(id, {
        spec,
        started: (pid) => resolve({ name, pid, spec, exited, kill, stop }),
        refused: reject,
        ended,
      });
      const env = { ...definedOnly(process.env), ...spec.env };
      if (!this.ask({ kind: 'spawn', id, spec: { ...spec, env } })) this.refuse(id, 'the supervisor has ended');
    });
  }

  /** The file or folder is deleted after every process has ended, also when this process is killed first. */
  removeAtEnd(path: string): void {
    this.ask({ kind: 'removeAtEnd', path });
  }

  async stop(): Promise<void> {
    this.ask({ kind: 'shutDown' });
    await this.ended;
  }

  private ask(request: SupervisorRequest): boolean {
    if (!this.child.connected) return false;
    // A supervisor that ends meanwhile is seen through 'exit'; the failed write adds nothing.
    this.child.send(request, () => undefined);
    return true;
  }

  private onEvent(event: SupervisorEvent): void {
    const entry = this.pending.get(event.id);
    if (!entry) return;
    switch (event.kind) {
      case 'refused':
        this.refuse(event.id, event.reason);
        break;
      case 'started':
        entry.pid = event.pid;
        entry.started(event.pid);
        break;
      case 'exited':
        this.pending.delete(event.id);
        entry.ended(event.exit);
    }
  }

  private refuse(id: number, reason: string): void {
    const entry = this.pending.get(id);
    this.pending.delete(id);
    entry?.refused(new LocalStackError(`${entry.spec.name} cannot be started (${entry.spec.command}): ${reason}`));
  }

  /** Nothing is left to do after an orderly end; after a kill -9 of the supervisor its children still run. */
  private afterEnd(): void {
    for (const [id, entry] of [...this.pending]) {
      if (entry.pid === undefined) {
        this.refuse(id, 'the supervisor has ended');
        continue;
      }
      killGroup(entry.pid);
      entry.ended({ code: null, signal: 'SIGKILL' });
    }
    this.pending.clear();
  }
}

function forkSupervisor(logFile: string): ChildProcess {
  mkdirSync(dirname(logFile), { recursive: true });
  const log = openSync(logFile, 'a');
  const here = fileURLToPath(import.meta.url);
  const script = fileURLToPath(new URL(`./supervisor-process${extname(here)}`, import.meta.url));
  try {
    return spawn(process.execPath, [script], {
      detached: true, // out of the terminal's group: Ctrl-C must not reach it while it is stopping the others
      stdio: ['ignore', log, log, 'ipc'],
      // A debugger or loader meant for the caller must not be attached to the supervisor as well.
      env: { ...process.env, NODE_OPTIONS: '' },
    });
  } finally {
    closeSync(log);
  }
}

function killGroup(pid: number): void {
  for (const target of [-pid, pid]) {
    try {
      process.kill(target, 'SIGKILL');
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== 'ESRCH') throw error;
    }
  }
}

export function definedOnly(env: NodeJS.ProcessEnv): Record<string, string> {
  return Object.fromEntries(Object.entries(env).filter((entry): entry is [string, string] => entry[1] !== undefined));
}
