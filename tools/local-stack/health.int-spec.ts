import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, it } from 'vitest';
import { PartFailed } from './errors.js';
import { tailOf, waitUntilHealthy } from './health.js';
import type { ProcessExit, SupervisedProcess } from './supervisor.js';

const folder = mkdtempSync(join(tmpdir(), 'tributary-health-'));
const logFile = join(folder, 'kafka.log');
const never = new Promise<ProcessExit>(() => undefined);

afterAll(() => rmSync(folder, { recursive: true, force: true }));

function aPart(exited: Promise<ProcessExit> = never): SupervisedProcess {
  const spec = { name: 'kafka', command: 'java', args: [], logFile };
  return { name: 'kafka', pid: 1, spec, exited, kill: () => undefined, stop: () => exited };
}

function notYet(): Promise<void> {
  return Promise.reject(new Error('connection refused'));
}

describe('waiting for a part', () => {
  it('ends when the probe passes', async () => {
    let probes = 0;
    const probe = () => (++probes < 3 ? notYet() : Promise.resolve());
    await waitUntilHealthy({ process: aPart(), logFile, deadlineMs: 10_000, probe });
    expect(probes).toBe(3);
  });

  it('fails at the deadline with the last complaint and the end of the log', async () => {
    writeFileSync(logFile, 'starting\nwaiting for the controller\n');
    const waiting = waitUntilHealthy({ process: aPart(), logFile, deadlineMs: 0, probe: notYet });
    await expect(waiting).rejects.toThrow(
      `kafka did not come up within 0 s: connection refused\nthe end of ${logFile}:\n  starting\n  waiting for the controller`,
    );
  });

  it('fails as soon as the process has ended, long before the deadline', async () => {
    writeFileSync(logFile, `Address already in use\n${'\tat some.java.Frame\n'.repeat(100)}`);
    const ended = aPart(Promise.resolve({ code: 1, signal: null }));
    const failure = await waitUntilHealthy({ process: ended, logFile, deadlineMs: 600_000, probe: notYet }).catch(
      (error: unknown) => error,
    );
    expect(failure).toBeInstanceOf(PartFailed);
    expect(failure).toMatchObject({ isPortCollision: true });
    expect((failure as Error).message).toContain('kafka ended while starting (exit code 1)');
  });
});

describe('the end of a log', () => {
  it('is its last lines', () => {
    writeFileSync(logFile, Array.from({ length: 5000 }, (_, index) => `line ${index}`).join('\n'));
    expect(tailOf(logFile, 2)).toBe(`the end of ${logFile}:\n  line 4998\n  line 4999`);
  });

  it('is said to be empty when there is none', () => {
    expect(tailOf(join(folder, 'missing.log'))).toBe(`(nothing in ${join(folder, 'missing.log')})`);
  });
});
