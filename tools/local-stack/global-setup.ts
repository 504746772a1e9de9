import { chmod, mkdtemp } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { TestStack } from '@tributary/testing';
import type { TestProject } from 'vitest/node';
import { type LocalStack, startLocalStack } from './local-stack.js';

/** One stack for the whole run, however many projects ask for it. */
interface SharedStack {
  users: number;
  readonly starting: Promise<LocalStack>;
}

// Vitest evaluates this file once per project; what they share has to live outside the module.
const slot = Symbol.for('tributary.testStack');
const shared = globalThis as { [slot]?: SharedStack | undefined };

export default async function provideStack(project: TestProject): Promise<(() => Promise<void>) | undefined> {
  const given = process.env.TRIBUTARY_TEST_STACK;
  if (given) {
    project.provide('testStack', parseAddresses(given));
    return undefined;
  }
  shared[slot] ??= { users: 0, starting: startOwn() };
  const own = shared[slot];
  own.users++;
  try {
    const { kafka, registry, postgres } = await own.starting;
    project.provide('testStack', { kafka, registry, postgres });
  } catch (error) {
    shared[slot] = undefined;
    throw error;
  }
  return () => release(own);
}

async function startOwn(): Promise<LocalStack> {
  const dataDir = await mkdtemp(join(tmpdir(), 'tributary-test-'));
  await chmod(dataDir, 0o755); // run by root, PostgreSQL's own account has to enter it
  // Explicit ports in the environment are meant for `npm start`, which may be running at the same time.
  const { TRIBUTARY_KAFKA_PORT, TRIBUTARY_REGISTRY_PORT, TRIBUTARY_POSTGRES_PORT, ...env } = process.env;
  const stack = await startLocalStack({ dataDir, env, onProgress: (line) => console.log(`test stack: ${line}`) });
  stack.supervisor.removeAtEnd(dataDir);
  return stack;
}

async function release(own: SharedStack): Promise<void> {
  own.users--;
  if (own.users > 0) return;
  shared[slot] = undefined;
  await (await own.starting).stop();
}

/** `TRIBUTARY_TEST_STACK={"kafka":{"brokers":[…]},"registry":{"url":…},"postgres":{"url":…}}` */
export function parseAddresses(text: string): TestStack {
  const wanted =
    'TRIBUTARY_TEST_STACK must be JSON: {"kafka":{"brokers":["…"]},"registry":{"url":"…"},"postgres":{"url":"…"}}';
  let value: Partial<TestStack> | null;
  try {
    value = JSON.parse(text) as Partial<TestStack> | null;
  } catch (error) {
    throw new Error(wanted, { cause: error });
  }
  const { kafka, registry, postgres } = value ?? {};
  const isComplete =
    Array.isArray(kafka?.brokers) && typeof registry?.url === 'string' && typeof postgres?.url === 'string';
  if (!isComplete) throw new Error(wanted);
  return { kafka: kafka!, registry: registry!, postgres: postgres! };
}
