import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { eventually } from '@tributary/testing';
import { afterAll, afterEach, beforeEach, describe, expect, it } from 'vitest';
import { Supervisor } from './supervisor.js';
import { familyOf, survivors } from './testing/processes.js';

const folder = mkdtempSync(join(tmpdir(), 'tributary-supervisor-'));
const logFile = join(folder, 'program.log');
const forever = 'setInterval(() => {}, 1000);';

describe('the supervisor', () => {
  let supervisor: Supervisor;

  beforeEach(() => {
    supervisor = new Supervisor({ logFile: join(folder, 'supervisor.log') });
  });
  afterEach(() => supervisor.stop());
  afterAll(() => rmSync(folder, { recursive: true, force: true }));

  function node(
    script: string,
    more: { stopTimeoutMs?: number; stopOrder?: number; env?: Record<string, string> } = {},
  ) {
    return supervisor.spawn({ name: 'program', command: process.execPath, args: ['-e', script], logFile, ...more });
  }

  function logged(): string {
    return readFileSync(logFile, 'utf8');
  }

  it('reports how a process ended, and keeps what it printed', async () => {
    const program = await node('console.log(process.env.GREETING); process.exit(7)', { env: { GREETING: 'hello' } });
    expect(await program.exited).toEqual({ code: 7, signal: null });
    expect(logged()).toContain('hello');
  });

  it('sends one signal', async () => {
    const program = await node(forever);
    program.kill('SIGKILL');
    expect(await program.exited).toEqual({ code: null, signal: 'SIGKILL' });
  });

  it('refuses a command that does not exist and names it', async () => {
    const spawning = supervisor.spawn({ name: 'ghost', command: '/nowhere/ghost', args: [], logFile });
    await expect(spawning).rejects.toThrow(/ghost cannot be started \(\/nowhere\/ghost\): .*ENOENT/);
  });

  it('refuses to start anything after its end', async () => {
    await supervisor.stop();
    await expect(node(forever)).rejects.toThrow('program cannot be started');
  });

  it('kills a process that does not listen to the stop signal', async () => {
    const program = await node(`process.on('SIGTERM', () => {}); console.log('deaf'); ${forever}`, {
      stopTimeoutMs: 50,
    });
    await eventually(() => logged().includes('deaf'));
    expect(await program.stop()).toEqual({ code: null, signal: 'SIGKILL' });
  });

  it('ends what a process started and left behind', async () => {
    const child = `require('node:child_process').spawn(process.execPath, ['-e', '${forever}'])`;
    const program = await node(`console.log('child ' + ${child}.pid); ${forever}`);
    const grandchild = await eventually(() => {
      const pid = /child (\d+)/.exec(logged())?.[1];
      return pid !== undefined && Number(pid);
    });
    program.kill('SIGKILL');
    await program.exited;
    await eventually(() => expect(survivors([Number(grandchild)])).toEqual([]));
  });

  it('stops lower orders first', async () => {
    const farewell = (name: string) =>
      `process.on('SIGTERM', () => { console.log('bye ${name}'); process.exit() }); console.log('up ${name}'); ${forever}`;
    await node(farewell('database'), { stopOrder: 2 });
    await node(farewell('service'));
    await eventually(() => logged().includes('up database') && logged().includes('up service'));
    await supervisor.stop();
    expect(logged().indexOf('bye service')).toBeLessThan(logged().indexOf('bye database'));
    expect(logged()).toContain('bye service');
  });

  it('ends its processes from here when it is itself killed with -9', async () => {
    const program = await node(forever);
    const family = familyOf(supervisor.pid);
    process.kill(supervisor.pid, 'SIGKILL');
    expect(await program.exited).toEqual({ code: null, signal: 'SIGKILL' });
    await eventually(() => expect(survivors(family)).toEqual([]));
  });

  it('removes files after the last process has ended', async () => {
    const file = join(folder, 'lock');
    writeFileSync(file, '');
    supervisor.removeAtEnd(file);
    await supervisor.stop();
    expect(() => readFileSync(file)).toThrow('ENOENT');
  });
});
