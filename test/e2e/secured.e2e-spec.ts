import { execFile } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { chmod, mkdtemp } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { waitingIn } from '@tributary/proof';
import { eventually } from '@tributary/testing';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { repositoryRoot, type SupervisedProcess } from '../../tools/local-stack/index.js';
import { demoIntegrations, runDemo } from '../../tools/start/demo.js';
import { type Environment, startEnvironment } from '../../tools/start/environment.js';
import type { RunningService, ServicePlan } from '../../tools/start/services.js';
import { servicePlans, untilReady } from '../../tools/start/services.js';
import { filesHolding } from './testing/files-holding.js';
import { SecuredCluster } from './testing/secured-cluster.js';
import { patienceMs } from './testing/system.js';

let cluster: SecuredCluster;
const laterPasswords: string[] = [];
let environment: Environment;
/** Of its 200 webhooks two are forged and one cannot be read. */
const acceptedOfDemo = 197;

beforeAll(async () => {
  const dataDir = await mkdtemp(join(tmpdir(), 'tributary-secured-'));
  await chmod(dataDir, 0o755);
  cluster = await SecuredCluster.make(join(dataDir, 'secrets'));
  const { TRIBUTARY_KAFKA_PORT, TRIBUTARY_REGISTRY_PORT, TRIBUTARY_POSTGRES_PORT, ...env } = process.env;
  environment = await startEnvironment({
    dataDir,
    wipe: true,
    env,
    kafkaSecurity: cluster.kafkaSecurity,
    plans: (stack) => cluster.prepare(stack),
  });
  environment.stack.supervisor.removeAtEnd(dataDir);
  await environment.apply([demoIntegrations]);
});
afterAll(async () => {
  await environment?.stop();
  await cluster?.close();
});

const logOf = (name: string): string => readFileSync(join(environment.stack.dataDir, 'logs', `${name}.log`), 'utf8');

const pids = () => [...environment.services.values()].map(({ process }) => process.pid);

/** Another process of the service, which shows another identity. */
function startAs(name: string, as: string, variables: Readonly<Record<string, string>>): Promise<RunningService> {
  const plan = servicePlans().find((one) => one.name === name) as ServicePlan;
  return environment.launcher.start({ ...plan, name: as, env: { ...plan.env, ...variables } });
}

/** The command line, with the identity that the chart gives whoever is on call. */
async function asOperator(args: readonly string[]) {
  const main = join(repositoryRoot(), 'dist/tools/cli/main.js');
  const env = { ...process.env, ...environment.launcher.environment, ...cluster.identityOf('operator') };
  return promisify(execFile)(process.execPath, [main, '--actor', 'ada', ...args], { env }).then(
    ({ stdout, stderr }) => ({ code: 0, stdout, stderr }),
    ({ code, stdout, stderr }: { code: number; stdout: string; stderr: string }) => ({ code, stdout, stderr }),
  );
}

/** Another process of the service is not let in under that identity, and its log says why. */
async function expectRefusal(
  service: string,
  name: string,
  identity: Readonly<Record<string, string>>,
  reason = /unable to verify|self-signed certificate|alert (bad|unknown|certificate)|certificate unknown|ECONNRESET|socket disconnected/i,
): Promise<void> {
  const refused = await startAs(service, name, identity);
  try {
    await eventually(() => expect(logOf(name)).toMatch(reason), { timeoutMs: patienceMs, what: 'the refusal' });
    const ready = await fetch(`${refused.url}/health/ready`).then(
      ({ status }) => status,
      () => 0,
    );
    expect(ready).not.toBe(200);
  } finally {
    refused.process.kill('SIGKILL');
    await refused.process.exited;
  }
}

/** Every connection is a new one afterwards. */
async function restartKafka(): Promise<void> {
  const kafka = kafkaNow ?? environment.stack.processes.get('kafka');
  if (!kafka) throw new Error('the stack runs no Kafka');
  await kafka.stop();
  kafkaNow = await environment.stack.supervisor.spawn(kafka.spec);
  await eventually(() => environment.admin.cluster(), { timeoutMs: patienceMs, what: 'Kafka to be back' });
}
let kafkaNow: SupervisedProcess | undefined;

/** Webhooks are refused until ingress is connected again. Without Kafka nothing waits either, so what was taken is counted. */
async function expectTraffic(): Promise<void> {
  await untilReady([...environment.services.values()], patienceMs);
  const attempt = async () => {
    const { sent, proof } = await runDemo(environment, () => undefined);
    const accepted = [...sent.values()].flat().filter(({ status }) => status === 200).length;
    expect({ accepted, findings: proof.findings, waiting: waitingIn(proof) }).toEqual({
      accepted: acceptedOfDemo,
      findings: [],
      waiting: 0,
    });
  };
  await eventually(attempt, { timeoutMs: 2 * patienceMs, what: 'the demo to go through', intervalMs: 1_000 });
}

describe('a cluster that asks who one is', () => {
  it('carries everything, with the rights that the chart gives and no other', async () => {
    const { proof } = await runDemo(environment, () => undefined);
    expect(proof.findings).toEqual([]);
    expect(waitingIn(proof)).toBe(0);
    for (const name of environment.services.keys())
      expect({ name, log: logOf(name) }).toEqual({
        name,
        log: expect.not.stringMatching(/AUTHORIZATION|not authorized|permission denied/i),
      });
  });

  it.each<[line: string, expected: RegExp]>([
    ['topics plan', /^0 to create/m],
    ['schemas plan', /^0 to register/m],
    ['health', /schema registry[ │|]+up/],
    ['connections', /demo-http/],
    ['dlt groups', /./],
    ['group accept-offsets connector-http --reason looked', /every committed offset of connector-http can be read/],
    ['prove', /the proof closes/],
    ['dlt redrive --topic raw.github.v1.dlt --reason again', /^1 dead letters redriven/m],
  ])('lets an operator do "%s", with the rights that the chart gives', async (line, expected) => {
    const said = await asOperator(line.split(' '));
    expect(said).toMatchObject({ code: 0, stdout: expect.stringMatching(expected) });
  });

  it('has no connection to PostgreSQL that is not encrypted', async () => {
    const plain = await environment.database.query(
      "SELECT application_name FROM pg_stat_ssl JOIN pg_stat_activity USING (pid) WHERE NOT ssl AND application_name LIKE 'tributary-%' AND application_name <> 'tributary-start'",
    );
    expect(plain).toEqual([]);
  });

  it('is used by each service under its own login, which owns nothing', async () => {
    const logins = await environment.database.query<{ login: string; application: string; owns: boolean }>(
      `SELECT DISTINCT usename AS login, application_name AS application, EXISTS (SELECT FROM pg_class WHERE relowner = usesysid) AS owns
       FROM pg_stat_activity WHERE application_name LIKE 'tributary-%' AND application_name <> 'tributary-start' ORDER BY 1, 2`,
    );
    expect(logins.map(({ login }) => login)).toEqual(expect.arrayContaining(['audit-logger', 'normalizer']));
    for (const { login, application, owns } of logins) {
      expect({ application, owns }).toEqual({
        application: expect.stringContaining(login.split('-')[0] ?? ''),
        owns: false,
      });
    }
  });

  it.each<[string, () => Record<string, string>, RegExp]>([
    [
      'the rights of another service',
      () => cluster.identityOf('console'),
      /Not authorized to access topics.*gives it no right/,
    ],
    ['no rights at all', () => cluster.identityOf('intruder'), /Not authorized to access topics.*gives it no right/],
    [
      'a wrong password',
      () => ({ ...cluster.identityOf('router'), KAFKA_PASSWORD: 'wrong' }),
      /invalid credentials.*KAFKA_PASSWORD/,
    ],
    [
      'no faith in the authority',
      () => ({ ...cluster.identityOf('router'), KAFKA_TLS: 'on' }),
      /unable to (verify|get)|self-signed|certificate/i,
    ],
  ])('refuses a service with %s, and the log says so', async (what, identity, reason) => {
    await expectRefusal('router', `router-${what.replaceAll(' ', '-')}`, identity(), reason);
  });

  it('takes new passwords and certificates while everything runs', async () => {
    const password = randomBytes(12).toString('hex');
    laterPasswords.push(password);
    await cluster.changePassword('normalizer', password);
    await cluster.authority.issue('connector-http');
    for (const name of ['audit-logger', 'normalizer', 'console'])
      await cluster.changeLogin(name, randomBytes(12).toString('hex'));
    const before = pids();
    await Promise.all([restartKafka(), cluster.cutConnections()]);
    await expectTraffic();
    expect(pids()).toEqual(before);
  });

  it('goes on without a restart when another authority takes over and the former one is dropped', async () => {
    const before = pids();
    const former = await cluster.keepFormer();
    await cluster.authority.replace();
    await restartKafka();
    await cluster.renewCertificates();
    await cluster.authority.dropFormer();
    await Promise.all([restartKafka(), cluster.cutConnections()]);
    await expectTraffic();
    expect(pids()).toEqual(before);
    // Who had kept what it read at its start would be where these two are.
    const { KAFKA_TLS: formerCa = '', ...formerCertificate } = former;
    const identity = cluster.identityOf('connector-http');
    await expectRefusal('connector-http', 'connector-as-it-was', {
      ...identity,
      ...formerCertificate,
    });
    await expectRefusal('connector-http', 'connector-of-former-faith', { ...identity, KAFKA_TLS: formerCa });
  });

  // Last: by now every service has run, was refused, took new secrets and carried the demo twice.
  it('keeps every secret out of logs, topics and tables', async () => {
    await environment.database.query('CHECKPOINT');
    const [place] = await environment.database.query<{ folder: string }>(
      "SELECT current_setting('data_directory') AS folder",
    );
    const { dataDir } = environment.stack;
    const folders = [join(dataDir, 'logs'), join(dataDir, 'data/kafka'), place?.folder ?? ''];
    const secrets = everySecret();
    expect(Object.keys(secrets).length).toBeGreaterThan(20);
    expect(await filesHolding(secrets, folders)).toEqual([]);
    // The search finds what is there, in each of the places.
    const found = await filesHolding({ line: 'delivery.attempted', connection: 'demo-stripe' }, folders);
    for (const folder of folders) expect(found.some((file) => file.includes(folder))).toBe(true);
  });
});

/** What the vendors sign with, what the destinations take, every key file, and the passwords of the cluster, each in the spellings that might slip out. */
function everySecret(): Record<string, string> {
  const keyFile = (name: string) => readFileSync(join(environment.stack.dataDir, name), 'utf8');
  const keys = ['kek', 'ledger-keys', 'audit-signing-key'].flatMap((name) => {
    const texts = keyFile(name).match(/[0-9a-f]{64}|[\w+/=-]{40,}$/gm) ?? [];
    return texts.map((text, index) => [`${name} ${index}`, text] as const);
  });
  const named: (readonly [string, string])[] = [
    ...Object.entries(environment.secrets),
    ...keys,
    ...Object.entries(cluster.kafkaSecurity.users).map(
      ([name, password]) => [`password of ${name}`, password] as const,
    ),
    ...laterPasswords.map((password, index) => [`later password ${index}`, password] as const),
    ...cluster.databasePasswords.map((password, index) => [`password of a login ${index}`, password] as const),
    ['password of the registry', cluster.identityOf('router').SCHEMA_REGISTRY_PASSWORD ?? ''],
  ];
  return Object.fromEntries(
    named.flatMap(([name, text]) => [
      [name, text],
      [`${name}, bare`, text.replace(/^(whsec_|xoxb-|[\w-]+\.)/, '')],
      [`${name}, in base64`, Buffer.from(text).toString('base64')],
    ]),
  );
}
