import { closeSync, fstatSync, openSync, readSync } from 'node:fs';
import { setTimeout as sleep } from 'node:timers/promises';
import { messageOf, PartFailed } from './errors.js';
import type { ProcessExit, SupervisedProcess } from './supervisor.js';

export interface HealthCheck {
  readonly process: SupervisedProcess;
  readonly logFile: string;
  readonly deadlineMs: number;
  /** Resolves when the part is of use, rejects when it is not yet. Bounded in time by itself. */
  probe(): Promise<void>;
}

/** Waits until the probe passes; fails at once when the process ends, and with the end of its log at the deadline. */
export async function waitUntilHealthy(check: HealthCheck): Promise<void> {
  const { process: part, logFile, deadlineMs } = check;
  const deadline = performance.now() + deadlineMs;
  let exit: ProcessExit | undefined;
  void part.exited.then((value) => {
    exit = value;
  });
  for (;;) {
    const complaint = await complaintOf(check);
    if (complaint === undefined) return;
    if (exit) throw failure(`${part.name} ended while starting (${describeExit(exit)})`, logFile);
    if (performance.now() > deadline) {
      throw failure(`${part.name} did not come up within ${deadlineMs / 1000} s: ${complaint}`, logFile);
    }
    await sleep(60);
  }
}

/** Shows the last lines and judges by more: a long stack trace pushes the reason out of sight. */
function failure(message: string, logFile: string): PartFailed {
  return new PartFailed(`${message}\n${tailOf(logFile)}`, lastBytes(logFile, 65_536));
}

async function complaintOf(check: HealthCheck): Promise<string | undefined> {
  try {
    await check.probe();
    return undefined;
  } catch (error) {
    return messageOf(error);
  }
}

export function describeExit({ code, signal }: ProcessExit): string {
  return signal ? `signal ${signal}` : `exit code ${code}`;
}

/** The last lines of a log, under a heading with its path. */
export function tailOf(logFile: string, lines = 20): string {
  const text = lastBytes(logFile, 16_384).trimEnd();
  if (!text) return `(nothing in ${logFile})`;
  const last = text.split('\n').slice(-lines);
  return [`the end of ${logFile}:`, ...last.map((line) => `  ${line}`)].join('\n');
}

function lastBytes(path: string, count: number): string {
  let file: number;
  try {
    file = openSync(path, 'r');
  } catch {
    return ''; // not written yet: the caller reports an empty log
  }
  try {
    const { size } = fstatSync(file);
    const length = Math.min(size, count);
    const bytes = Buffer.alloc(length);
    readSync(file, bytes, 0, length, size - length);
    return bytes.toString('utf8');
  } finally {
    closeSync(file);
  }
}
