import { execFileSync } from 'node:child_process';
import { readdirSync, readFileSync } from 'node:fs';

interface Row {
  readonly pid: number;
  readonly parent: number;
}

/** The process and everything below it, as the system knows them now. */
export function familyOf(pid: number): number[] {
  const table = processTable();
  const below = (parent: number): number[] =>
    table.filter((row) => row.parent === parent).flatMap((row) => [row.pid, ...below(row.pid)]);
  return [pid, ...below(pid)];
}

/** Which of these still run. A zombie waits for its parent to look and runs no more. */
export function survivors(pids: readonly number[]): number[] {
  const running = new Set(processTable().map(({ pid }) => pid));
  return pids.filter((pid) => running.has(pid));
}

function processTable(): Row[] {
  return process.platform === 'linux' ? fromProc() : fromPs();
}

function fromProc(): Row[] {
  return readdirSync('/proc')
    .filter((name) => /^\d+$/.test(name))
    .flatMap((name) => rowOf(Number(name)) ?? []);
}

function rowOf(pid: number): Row | undefined {
  let stat: string;
  try {
    stat = readFileSync(`/proc/${pid}/stat`, 'utf8');
  } catch {
    return undefined; // ended while the folder was read
  }
  // The name in parentheses may itself contain spaces and parentheses.
  const [state, parent] = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
  return state === 'Z' ? undefined : { pid, parent: Number(parent) };
}

function fromPs(): Row[] {
  return execFileSync('ps', ['-axo', 'pid=,ppid=,state='], { encoding: 'utf8' })
    .trim()
    .split('\n')
    .map((line) => line.trim().split(/\s+/))
    .filter(([, , state]) => !state?.startsWith('Z'))
    .map(([pid, parent]) => ({ pid: Number(pid), parent: Number(parent) }));
}
