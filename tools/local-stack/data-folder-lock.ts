import { linkSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { LocalStackError } from './errors.js';
import type { Supervisor } from './supervisor.js';

interface Holder {
  readonly owner: number;
  readonly supervisor: number;
}

/**
 * One stack per data folder. The lock names the supervisor, who removes it as its last act, so a restart right after
 * a kill waits for the old processes to be gone instead of meeting them.
 */
export async function lockDataFolder(dataDir: string, supervisor: Supervisor): Promise<void> {
  const file = join(dataDir, 'stack.lock');
  const deadline = performance.now() + 30_000;
  while (!claim(file, supervisor.pid)) {
    const holder = readHolder(file);
    if (!holder || !isSupervisor(holder.supervisor)) {
      rmSync(file, { force: true });
      continue;
    }
    if (isAlive(holder.owner) || performance.now() > deadline) {
      throw new LocalStackError(
        `another stack uses ${dataDir} (started by pid ${holder.owner}, supervised by pid ${holder.supervisor}); stop it or choose another folder with --data-dir`,
      );
    }
    await sleep(100);
  }
  supervisor.removeAtEnd(file);
}

function claim(file: string, supervisor: number): boolean {
  // Written aside and linked into place: nobody ever reads a lock that is only half written.
  const draft = `${file}.${supervisor}`;
  writeFileSync(draft, JSON.stringify({ owner: process.pid, supervisor } satisfies Holder));
  try {
    linkSync(draft, file);
    return true;
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'EEXIST') return false;
    throw error;
  } finally {
    rmSync(draft);
  }
}

function readHolder(file: string): Holder | undefined {
  try {
    return JSON.parse(readFileSync(file, 'utf8')) as Holder;
  } catch {
    return undefined; // removed meanwhile: nobody holds it
  }
}

/** Process ids repeat after a container restart, so a live process counts only when it is a supervisor. */
function isSupervisor(pid: number): boolean {
  if (!isAlive(pid)) return false;
  try {
    return readFileSync(`/proc/${pid}/cmdline`, 'utf8').includes('supervisor-process');
  } catch {
    return process.platform !== 'linux';
  }
}

function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch (error) {
    return (error as NodeJS.ErrnoException).code === 'EPERM';
  }
}
