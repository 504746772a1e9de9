// Runs as a process of its own, in its own session, and owns every process of the stack. It ends them when it is asked
// to, when it is signalled, and when the IPC channel to its parent closes - which the kernel does for us however the
// parent dies, SIGKILL included. Imports nothing of ours at run time, so plain Node runs it from source and from dist.
import { type ChildProcess, spawn } from 'node:child_process';
import { closeSync, mkdirSync, openSync, rmSync } from 'node:fs';
import { dirname } from 'node:path';
import type { ProcessSpec, SupervisorEvent, SupervisorRequest } from './supervisor-protocol.js';

interface Child {
  readonly pid: number;
  readonly spec: ProcessSpec;
  readonly ended: Promise<void>;
}

const children = new Map<number, Child>();
const removeAtEnd: string[] = [];
let isShuttingDown = false;

function tell(event: SupervisorEvent): void {
  if (!process.connected) return;
  // The callback keeps a write to a parent that has just died from throwing; 'disconnect' then ends everything.
  process.send?.(event, undefined, undefined, () => undefined);
}

function isGone(error: unknown): boolean {
  return (error as NodeJS.ErrnoException).code === 'ESRCH';
}

function signal(pid: number, name: NodeJS.Signals): void {
  try {
    process.kill(pid, name);
  } catch (error) {
    if (!isGone(error)) console.error(`cannot send ${name} to ${pid}:`, error);
  }
}

function spawnLogged(spec: ProcessSpec): ChildProcess {
  mkdirSync(dirname(spec.logFile), { recursive: true });
  const log = openSync(spec.logFile, 'a');
  try {
    return spawn(spec.command, spec.args, {
      // A group of its own: Ctrl-C at the terminal must reach it only through us, and nothing it starts may outlive it.
      detached: true,
      stdio: ['ignore', log, log],
      env: { ...process.env, ...spec.env },
      ...(spec.cwd !== undefined && { cwd: spec.cwd }),
      ...(spec.uid !== undefined && { uid: spec.uid }),
      ...(spec.gid !== undefined && { gid: spec.gid }),
    });
  } finally {
    closeSync(log);
  }
}

function start(id: number, spec: ProcessSpec): void {
  if (isShuttingDown) {
    tell({ kind: 'refused', id, reason: 'the supervisor is shutting down' });
    return;
  }
  try {
    track(id, spec, spawnLogged(spec));
  } catch (error) {
    tell({ kind: 'refused', id, reason: String(error) });
  }
}

function track(id: number, spec: ProcessSpec, child: ChildProcess): void {
  child.once('error', (error) => tell({ kind: 'refused', id, reason: error.message }));
  const { pid } = child;
  if (pid === undefined) return;
  const ended = new Promise<void>((resolve) => {
    child.once('exit', (code, exitSignal) => {
      children.delete(id);
      signal(-pid, 'SIGKILL'); // what it started and left behind
      tell({ kind: 'exited', id, exit: { code, signal: exitSignal } });
      resolve();
    });
  });
  children.set(id, { pid, spec, ended });
  tell({ kind: 'started', id, pid });
}

async function stop({ pid, spec, ended }: Child): Promise<void> {
  const timer = setTimeout(() => {
    console.error(`${spec.name} (pid ${pid}) did not stop in time and is killed`);
    signal(-pid, 'SIGKILL');
    // A process that left its group, as PostgreSQL's children do, is not reached through the group alone.
    signal(pid, 'SIGKILL');
  }, spec.stopTimeoutMs ?? 10_000);
  signal(pid, spec.stopSignal ?? 'SIGTERM');
  await ended;
  clearTimeout(timer);
}

async function shutDown(reason: string): Promise<void> {
  if (isShuttingDown) return;
  isShuttingDown = true;
  console.log(`ending ${children.size} process(es): ${reason}`);
  const orderOf = (child: Child) => child.spec.stopOrder ?? 0;
  const waves = [...new Set([...children.values()].map(orderOf))].sort((a, b) => a - b);
  for (const wave of waves) {
    await Promise.all([...children.values()].filter((child) => orderOf(child) === wave).map(stop));
  }
  for (const path of removeAtEnd) rmSync(path, { recursive: true, force: true });
  process.exit(0);
}

function handle(request: SupervisorRequest): void {
  switch (request.kind) {
    case 'spawn':
      start(request.id, request.spec);
      break;
    case 'signal':
      withChild(request.id, ({ pid }) => signal(pid, request.signal));
      break;
    case 'stop':
      withChild(request.id, (child) => void stop(child));
      break;
    case 'removeAtEnd':
      removeAtEnd.push(request.path);
      break;
    case 'shutDown':
      void shutDown('asked to');
  }
}

/** A request may cross with the end of the process it is about; there is nothing left to do then. */
function withChild(id: number, act: (child: Child) => void): void {
  const child = children.get(id);
  if (child) act(child);
}

function killAll(error: unknown): void {
  console.error('the supervisor failed:', error);
  for (const { pid } of children.values()) {
    signal(-pid, 'SIGKILL');
    signal(pid, 'SIGKILL');
  }
  process.exit(1);
}

process.on('uncaughtException', killAll);
process.on('unhandledRejection', killAll);
for (const name of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) {
  process.on(name, () => void shutDown(`received ${name}`));
}
process.on('disconnect', () => void shutDown('the parent is gone'));
process.on('message', (request) => handle(request as SupervisorRequest));
// The parent may have died before the listeners above were in place.
if (!process.connected) void shutDown('the parent is gone');
