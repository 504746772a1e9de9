import { chmodSync, existsSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { COMPATIBILITY, SchemaRegistry, SchemaType } from '@kafkajs/confluent-schema-registry';
import { eventually } from '@tributary/testing';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { survivors } from './testing/processes.js';
import { StackProgram } from './testing/stack-program.js';

const subject = 'events.people.v1-tributary.people.Kept';
const first = { type: 'record', name: 'Kept', fields: [{ name: 'id', type: 'string' }] };
const second = { ...first, fields: [...first.fields, { name: 'count', type: ['null', 'long'], default: null }] };
const incompatible = { ...first, fields: [{ name: 'id', type: 'long' }] };

function register(registry: string, schema: object): Promise<{ id: number }> {
  const client = new SchemaRegistry({ host: registry });
  const options = { subject, compatibility: COMPATIBILITY.FULL_TRANSITIVE };
  return client.register({ type: SchemaType.AVRO, schema: JSON.stringify(schema) }, options);
}

async function fetchSchema(registry: string, id: number): Promise<unknown> {
  const reply = await fetch(`${registry}/schemas/ids/${id}`);
  const { schema } = (await reply.json()) as { schema: string };
  return JSON.parse(schema);
}

// The line runs on every newer Java as well, so this holds on any machine; the mark makes the stack choose it.
describe('the registry that Java 17 runs', () => {
  const dataDir = mkdtempSync(join(tmpdir(), 'tributary-java-17-'));
  const programs: StackProgram[] = [];
  let registry: string;
  let ids: number[];

  async function start(): Promise<string> {
    const program = new StackProgram(dataDir);
    programs.push(program);
    return (await program.addresses()).registry;
  }

  beforeAll(async () => {
    chmodSync(dataDir, 0o755); // run by root, PostgreSQL's own account has to enter it
    mkdirSync(join(dataDir, 'data'));
    writeFileSync(join(dataDir, 'data', 'registry-line'), '2.6\n');
    registry = await start();
    ids = [(await register(registry, first)).id, (await register(registry, second)).id];
  });

  afterAll(async () => {
    for (const program of programs) {
      if (survivors([program.pid]).length > 0) program.pressCtrlC();
      await program.exitCode;
    }
    await eventually(() => !existsSync(join(dataDir, 'stack.lock')), { timeoutMs: 30_000, what: 'the lock to go' });
    rmSync(dataDir, { recursive: true, force: true });
  });

  it('is named in one line', () => {
    expect(programs[0]!.output).toMatch(/^running on Java \d+ \(.+\).* with Apicurio Registry 2\.6/m);
  });

  it('holds a subject to FULL_TRANSITIVE', async () => {
    await expect(register(registry, incompatible)).rejects.toMatchObject({ status: 409 });
    const config = await fetch(`${registry}/config/${subject}`);
    expect(await config.json()).toEqual({ compatibilityLevel: 'FULL_TRANSITIVE' });
  });

  it('knows every id again after a kill -9', async () => {
    programs[0]!.killWithoutWarning();
    registry = await start();
    const schemas = await Promise.all(ids.map((id) => fetchSchema(registry, id)));
    expect(schemas).toEqual([first, second]);
    expect((await register(registry, second)).id).toBe(ids[1]);
  });
});
