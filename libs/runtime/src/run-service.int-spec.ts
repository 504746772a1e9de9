import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { eventually } from '@tributary/testing';
import { describe, expect, it, onTestFinished } from 'vitest';

// A process of its own, as deployed: signals and exit codes are what is looked at.
const built = (path: string) => pathToFileURL(join(import.meta.dirname, '../../../dist/libs', path)).href;
const program = `
  import { runService } from '${built('runtime/src/run-service.js')}';
  import { createServer } from 'node:http';
  import { text } from '${built('config/src/settings.js')}';
  const forever = new Promise(() => {});
  await runService({
    name: 'spec',
    settings: { extra: text('EXTRA', 'Something it needs.') },
    start: async ({ onFatal, settings }) => {
      const { WAITS, OWN_SERVER } = process.env;
      if (WAITS) await new Promise((resolve) => process.once('SIGHUP', resolve));
      const server = createServer((request, response) => {
        if (request.url === '/health/live') response.end('own');
        else response.writeHead(404).end();
      });
      process.on('SIGUSR2', () => onFatal(new Error('the consumer is dead')));
      return {
        whyNotReady: () => [],
        ...(OWN_SERVER && {
          serveHealth: async () => {
            await new Promise((resolve) => server.listen(settings.port, settings.host, resolve));
            return { port: server.address().port };
          },
        }),
        stop: async () => {
          console.log(JSON.stringify({ message: 'spec.stop-called' }));
          if (process.env.HANGS) await forever;
        },
      };
    },
  });`;

const enough = { KAFKA_BROKERS: 'a:1', SCHEMA_REGISTRY_URL: 'http://r', EXTRA: 'x', PORT: '0', HOST: '127.0.0.1' };

interface Line {
  readonly message: string;
  readonly port?: number;
  readonly error?: { readonly message: string };
}

function run(environment: Record<string, string>) {
  const child: ChildProcess = spawn(process.execPath, ['--input-type=module', '-e', program], { env: environment });
  onTestFinished(() => void child.kill('SIGKILL'));
  let output = '';
  let errors = '';
  child.stdout?.on('data', (chunk) => {
    output += chunk;
  });
  child.stderr?.on('data', (chunk) => {
    errors += chunk;
  });
  const lines = (): Line[] =>
    output.split('\n').flatMap((line) => (line.startsWith('{') ? [JSON.parse(line) as Line] : []));
  const exited = once(child, 'close').then(([code]) => code as number | null);
  const says = async (message: string): Promise<Line> => {
    for (;;) {
      const line = lines().find((one) => one.message === message);
      if (line) return line;
      if (child.exitCode !== null) throw new Error(`it ended without ${message}: ${output}${errors}`);
      await once(child.stdout!, 'data');
    }
  };
  return { child, exited, says, lines, errors: () => errors };
}

async function freePort(): Promise<number> {
  const server = createServer().listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address() as AddressInfo;
  await new Promise((resolve) => server.close(resolve));
  return port;
}

describe('a service process', () => {
  it('does not start with bad settings, and names every one of them', async () => {
    const { exited, errors } = run({ PORT: 'http', TRACE_RATIO: '2' });
    expect(await exited).toBe(78);
    for (const name of ['KAFKA_BROKERS', 'SCHEMA_REGISTRY_URL', 'EXTRA', 'PORT', 'TRACE_RATIO']) {
      expect(errors()).toContain(`${name}`);
    }
    expect(errors()).toContain('EXTRA is missing: Something it needs.');
  });

  it('serves its health until it is told to stop, then ends in order', async () => {
    const { child, exited, says, lines } = run(enough);
    const { port } = await says('service.started');
    expect((await fetch(`http://127.0.0.1:${port}/health/ready`)).status).toBe(200);
    child.kill('SIGTERM');
    expect(await exited).toBe(0);
    expect(lines().map(({ message }) => message)).toEqual([
      'service.starting',
      'service.started',
      'service.stopping',
      'spec.stop-called',
      'service.stopped',
    ]);
  });

  it.each([
    ['its own endpoints', {}, '{"status":"live"}\n'],
    ['the endpoints of the service', { OWN_SERVER: '1' }, 'own'],
  ])('is live and not ready while it waits for what it needs, then serves %s', async (_, env, live) => {
    const port = await freePort();
    const { child, says } = run({ ...enough, ...env, PORT: String(port), WAITS: '1' });
    const ask = (path: string) => fetch(`http://127.0.0.1:${port}${path}`);
    await eventually(async () => expect((await ask('/health/live')).status).toBe(200));
    const ready = await ask('/health/ready');
    expect([ready.status, await ready.json()]).toEqual([
      503,
      { status: 'not ready', reasons: [expect.stringMatching(/^it starts/)] },
    ]);
    expect((await ask('/webhooks/acme')).status).toBe(503);
    child.kill('SIGHUP');
    await says('service.started');
    expect(await (await ask('/health/live')).text()).toBe(live);
    expect((await ask('/webhooks/acme')).status).toBe(404);
  });

  it('ends at once on the second signal, not ready in between', async () => {
    const { child, exited, says } = run({ ...enough, HANGS: '1' });
    const { port } = await says('service.started');
    child.kill('SIGTERM');
    await says('spec.stop-called');
    expect((await fetch(`http://127.0.0.1:${port}/health/ready`)).status).toBe(503);
    child.kill('SIGTERM');
    expect(await exited).toBe(1);
  });

  it('stops in order and ends with an error when its work is dead for good', async () => {
    const { child, exited, says, lines } = run(enough);
    await says('service.started');
    child.kill('SIGUSR2');
    expect(await exited).toBe(1);
    expect(lines().map(({ message }) => message)).toEqual(
      expect.arrayContaining(['service.failed', 'spec.stop-called']),
    );
  });

  it('says which port is taken', async () => {
    const other = createServer();
    onTestFinished(() => void other.close());
    await once(other.listen(0, '127.0.0.1'), 'listening');
    const { port } = other.address() as AddressInfo;
    const { exited, lines } = run({ ...enough, PORT: String(port) });
    expect(await exited).toBe(1);
    const failure = lines().find(({ message }) => message === 'service.port-unavailable');
    expect(failure?.error?.message).toContain(`EADDRINUSE: address already in use 127.0.0.1:${port}`);
  });
});
