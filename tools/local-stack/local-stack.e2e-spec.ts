import { chmodSync, existsSync, mkdtempSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { eventually, uniqueName } from '@tributary/testing';
import { Kafka, logLevel } from 'kafkajs';
import { Client } from 'pg';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { survivors } from './testing/processes.js';
import { type Addresses, StackProgram } from './testing/stack-program.js';

const topic = uniqueName('kept');
const programs: StackProgram[] = [];
const folders: string[] = [];

function temporaryFolder(): string {
  const folder = mkdtempSync(join(tmpdir(), 'tributary-stack-'));
  chmodSync(folder, 0o755);
  folders.push(folder);
  return folder;
}

function run(dataDir: string, args: string[] = [], env: Record<string, string> = {}): StackProgram {
  const program = new StackProgram(dataDir, args, env);
  programs.push(program);
  return program;
}

async function expectNoneOf(pids: number[]): Promise<void> {
  await eventually(() => expect(survivors(pids)).toEqual([]), { timeoutMs: 30_000, what: 'every process to end' });
}

const schema = { schema: JSON.stringify({ type: 'record', name: 'Kept', fields: [{ name: 'id', type: 'string' }] }) };

async function writeSomething({ brokers, registry, postgres }: Addresses): Promise<void> {
  const kafka = new Kafka({ brokers, logLevel: logLevel.NOTHING });
  const admin = kafka.admin();
  await admin.connect();
  await admin.createTopics({ topics: [{ topic, numPartitions: 1 }], waitForLeaders: true });
  await admin.disconnect();
  const producer = kafka.producer();
  await producer.connect();
  await producer.send({ topic, acks: -1, messages: [{ value: 'still here' }] });
  await producer.disconnect();
  const reply = await fetch(`${registry}/subjects/${topic}/versions`, {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify(schema),
  });
  expect(reply.status).toBe(200);
  await query(postgres, "create table kept as select 'still here' as note");
}

async function query(url: string, statement: string): Promise<unknown[]> {
  const client = new Client({ connectionString: url });
  await client.connect();
  try {
    return (await client.query(statement)).rows as unknown[];
  } finally {
    await client.end();
  }
}

async function firstRecord(brokers: string[]): Promise<string | undefined> {
  const consumer = new Kafka({ brokers, logLevel: logLevel.NOTHING }).consumer({ groupId: uniqueName('reader') });
  await consumer.connect();
  try {
    await consumer.subscribe({ topic, fromBeginning: true });
    return await new Promise((resolve, reject) => {
      const eachMessage = async ({ message }: { message: { value: Buffer | null } }) =>
        resolve(message.value?.toString());
      consumer.run({ eachMessage }).catch(reject);
    });
  } finally {
    await consumer.disconnect();
  }
}

describe('the local stack', () => {
  let first: StackProgram;
  let second: StackProgram;
  let at: Addresses;

  beforeAll(async () => {
    first = run(temporaryFolder());
    second = run(temporaryFolder());
    at = await first.addresses();
  });

  afterAll(async () => {
    for (const program of programs) {
      if (survivors([program.pid]).length > 0) program.pressCtrlC();
      await program.exitCode;
    }
    for (const folder of folders) {
      // The supervisor of a program that was killed removes its lock last of all.
      await eventually(() => !existsSync(join(folder, 'stack.lock')), { timeoutMs: 30_000, what: 'the lock to go' });
      rmSync(folder, { recursive: true, force: true });
    }
  });

  it('comes up twice at the same time on different ports', async () => {
    const other = await second.addresses();
    expect(other.brokers).not.toEqual(at.brokers);
    expect(other.registry).not.toBe(at.registry);
    expect(other.postgres).not.toBe(at.postgres);
  });

  it.each([
    ['--kafka-port', 'TRIBUTARY_KAFKA_PORT', () => at.brokers[0]!.split(':')[1]!],
    ['--registry-port', 'TRIBUTARY_REGISTRY_PORT', () => new URL(at.registry).port],
    ['--postgres-port', 'TRIBUTARY_POSTGRES_PORT', () => new URL(at.postgres).port],
  ])('refuses a taken %s and names it', async (option, variable, port) => {
    const program = run(temporaryFolder(), [option, port()]);
    expect(await program.exitCode).toBe(1);
    expect(program.output).toMatch(
      new RegExp(`^local stack: port ${port()} \\(${variable}\\) is taken( by .+ \\(pid \\d+\\))?; free it`),
    );
  });

  it('says in one sentence that the JDK is missing', async () => {
    const program = run(temporaryFolder(), [], { JAVA_HOME: '/nonexistent/jdk' });
    expect(await program.exitCode).toBe(1);
    expect(program.output).toMatch(
      /^local stack: JAVA_HOME is \/nonexistent\/jdk, but there is no bin\/java in it; .+\n$/,
    );
  });

  it('shows what Maven said when the download fails, and leaves nothing half fetched', async () => {
    const folder = temporaryFolder();
    const script =
      '#!/bin/sh\n[ "$2" = --version ] && exec echo "Apache Maven 3.9.9"\necho "[ERROR] Unknown host"; exit 1\n';
    writeFileSync(join(folder, 'mvn'), script, { mode: 0o755 });
    const cache = join(folder, 'cache');
    const env = { PATH: `${folder}:${process.env.PATH}`, TRIBUTARY_CACHE_DIR: cache };
    const program = run(join(folder, 'data'), [], env);
    expect(await program.exitCode).toBe(1);
    expect(program.output).toMatch(/^local stack: Maven could not fetch .+\(exit code 1\)/m);
    expect(program.output).toContain('[ERROR] Unknown host');
    expect(readdirSync(cache)).toEqual([]);
  });

  it('shows the end of the log when a part dies while starting, and stops the others', async () => {
    const program = run(temporaryFolder(), [], { TRIBUTARY_KAFKA_JVM_FLAGS: '-Xmx512m -XX:NoSuchFlag' });
    expect(await program.exitCode).toBe(1);
    expect(program.output).toMatch(
      /^local stack: kafka ended while starting \(exit code 1\)\nthe end of .+kafka\.log:$/m,
    );
    expect(program.output).toContain('NoSuchFlag');
    expect(existsSync(join(program.dataDir, 'stack.lock'))).toBe(false);
  });

  it('refuses a data folder that another stack uses', async () => {
    const program = run(first.dataDir);
    expect(await program.exitCode).toBe(1);
    expect(program.output).toMatch(`local stack: another stack uses ${first.dataDir} (started by pid ${first.pid}`);
  });

  it('leaves no process behind and keeps its data when it is killed with -9', async () => {
    await writeSomething(at);
    const family = first.family();
    expect(family.length).toBeGreaterThan(5); // itself, the supervisor, two Javas, PostgreSQL and its workers
    first.killWithoutWarning();

    // At once, as an impatient person does: it waits for the old processes to be gone.
    const again = run(first.dataDir);
    await expectNoneOf(family);

    const { brokers, registry, postgres } = await again.addresses();
    expect(await firstRecord(brokers)).toBe('still here');
    const versions = await fetch(`${registry}/subjects/${topic}/versions/latest`);
    expect(await versions.json()).toMatchObject({ subject: topic, version: 1 });
    expect(await query(postgres, 'select note from kept')).toEqual([{ note: 'still here' }]);
  });

  it('leaves no process behind after Ctrl-C', async () => {
    const family = second.family();
    second.pressCtrlC();
    expect(await second.exitCode).toBe(0);
    await expectNoneOf(family);
  });
});
