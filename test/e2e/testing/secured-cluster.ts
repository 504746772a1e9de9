import { execFile } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { copyFile, mkdir, writeFile } from 'node:fs/promises';
import { request } from 'node:http';
import { createServer, type Server } from 'node:https';
import type { AddressInfo } from 'node:net';
import { join } from 'node:path';
import { promisify } from 'node:util';
import {
  Database,
  defaultKeysUrl,
  grantServices,
  roleOf,
  type ServiceWithTables,
  servicesWithTables,
} from '@tributary/persistence';
import kafkajs from 'kafkajs';
import type { Acl } from '../../../tools/deployment/acls.js';
import { readChartFacts } from '../../../tools/deployment/chart-facts.js';
import { type KafkaSecurity, type LocalStack, repositoryRoot } from '../../../tools/local-stack/index.js';
import { type ServicePlan, servicePlans } from '../../../tools/start/services.js';
import { Authority } from './authority.js';

/** Shows a certificate to Kafka instead of a password. */
const byCertificate = 'connector-http';
const registryLogin = { username: 'tributary', password: randomBytes(12).toString('hex') };

/** One connector for each destination, of one service. */
const serviceOf = (name: string) => name.replace(/^connector-.*/, 'connector') as ServiceWithTables;

const hasTables = (name: string): boolean => servicesWithTables.includes(serviceOf(name));

/** Identities, rights and secrets as a deployment would give them, each secret in a file of its own. */
export class SecuredCluster {
  private proxy: Server | undefined;
  private stack: LocalStack | undefined;
  private registryUrl = '';
  readonly databasePasswords: string[] = [];

  private constructor(
    private readonly folder: string,
    readonly authority: Authority,
    readonly kafkaSecurity: KafkaSecurity,
  ) {}

  static async make(folder: string): Promise<SecuredCluster> {
    await mkdir(folder, { recursive: true });
    const authority = await Authority.make(folder);
    const names = [...servicePlans().map(({ name }) => name), 'operator', 'intruder'];
    const users = Object.fromEntries(names.map((name) => [name, randomBytes(12).toString('hex')]));
    const serverPemFile = await authority.issueBoth('broker');
    return new SecuredCluster(folder, authority, { serverPemFile, caFile: authority.caFile, users });
  }

  /** Everything that must be there before the first service. */
  async prepare(stack: LocalStack): Promise<readonly ServicePlan[]> {
    this.stack = stack;
    await this.encryptPostgres(stack);
    this.registryUrl = await this.guardRegistry(stack.registry.url);
    await grantAll(stack);
    await this.giveLogins(stack);
    await Promise.all(
      Object.entries(this.kafkaSecurity.users).map(([name, password]) => this.writePassword(name, password)),
    );
    await this.authority.issue(byCertificate);
    return servicePlans().map((plan) => ({ ...plan, env: { ...plan.env, ...this.identityOf(plan.name) } }));
  }

  /** How a service shows who it is. */
  identityOf(name: string): Record<string, string> {
    const common = {
      KAFKA_TLS: this.authority.caFile,
      SCHEMA_REGISTRY_URL: this.registryUrl,
      SCHEMA_REGISTRY_USERNAME: registryLogin.username,
      SCHEMA_REGISTRY_PASSWORD: registryLogin.password,
      SCHEMA_REGISTRY_CA_FILE: this.authority.caFile,
      ...(hasTables(name) && { DATABASE_URL: `file:${this.databaseUrlFile(name)}` }),
    };
    const { scram = '', mtls = '' } = this.stack?.kafka.secured ?? {};
    if (name === byCertificate) {
      return {
        ...common,
        KAFKA_BROKERS: mtls,
        KAFKA_TLS_CERT_FILE: join(this.folder, `${name}.pem`),
        KAFKA_TLS_KEY_FILE: join(this.folder, `${name}.key`),
      };
    }
    return {
      ...common,
      KAFKA_BROKERS: scram,
      KAFKA_SASL_MECHANISM: 'scram-sha-512',
      KAFKA_USERNAME: name,
      KAFKA_PASSWORD: `file:${this.passwordFile(name)}`,
    };
  }

  /** At the broker, and in the file that the service reads. */
  async changePassword(name: string, password: string): Promise<void> {
    const kafka = this.stack?.processes.get('kafka');
    const plain = this.stack?.kafka.brokers[0] ?? '';
    if (!kafka) throw new Error('the stack is not there yet');
    const { command, args = [] } = kafka.spec;
    const classPath = args[args.indexOf('-cp') + 1] ?? '';
    const change = ['--alter', '--entity-type', 'users', '--entity-name', name];
    const credential = ['--add-config', `SCRAM-SHA-512=[password=${password}]`];
    const tool = ['-cp', classPath, 'kafka.admin.ConfigCommand', '--bootstrap-server', plain, ...change, ...credential];
    await promisify(execFile)(command, tool);
    await this.writePassword(name, password);
  }

  /** What a service shows and believes that has not heard of any change since. */
  async keepFormer(): Promise<Record<string, string>> {
    const folder = join(this.folder, 'former');
    await mkdir(folder);
    const files = {
      KAFKA_TLS: 'ca.pem',
      KAFKA_TLS_CERT_FILE: `${byCertificate}.pem`,
      KAFKA_TLS_KEY_FILE: `${byCertificate}.key`,
    };
    for (const name of Object.values(files)) await copyFile(join(this.folder, name), join(folder, name));
    return Object.fromEntries(Object.entries(files).map(([variable, name]) => [variable, join(folder, name)]));
  }

  /** Certificates of all servers and clients, signed by the authority of now. Kafka reads its own when it starts. */
  async renewCertificates(): Promise<void> {
    if (!this.stack) throw new Error('the stack is not there yet');
    await this.authority.issueBoth('broker');
    await this.authority.issue(byCertificate);
    await this.encryptPostgres(this.stack);
    const { certFile, keyFile } = await this.authority.issue('registry');
    this.proxy?.setSecureContext({ cert: readFileSync(certFile), key: readFileSync(keyFile) });
  }

  /** Whoever is connected to the registry or PostgreSQL has to connect again. */
  async cutConnections(): Promise<void> {
    this.proxy?.closeAllConnections();
    if (!this.stack) throw new Error('the stack is not there yet');
    await this.asOwner(this.stack, async (database) => {
      await database.query(
        "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name LIKE 'tributary-%'",
      );
    });
  }

  private writePassword(name: string, password: string): Promise<void> {
    return writeFile(this.passwordFile(name), `${password}\n`, { mode: 0o600 });
  }

  async close(): Promise<void> {
    this.proxy?.closeAllConnections();
    await new Promise((resolve) => (this.proxy ? this.proxy.close(resolve) : resolve(undefined)));
  }

  private passwordFile(name: string): string {
    return join(this.folder, `${name}.password`);
  }

  private databaseUrlFile(name: string): string {
    return join(this.folder, `${name}.database-url`);
  }

  /** For each service one of its own, with the rights of its role and no other. */
  private async giveLogins(stack: LocalStack): Promise<void> {
    const { url } = stack.postgres;
    await grantServices({ databaseUrl: url, keysUrl: defaultKeysUrl(url) });
    for (const { name } of servicePlans()) {
      if (!hasTables(name)) continue;
      const role = roleOf(serviceOf(name));
      await this.asOwner(stack, (database) => database.query(`CREATE ROLE "${name}" LOGIN IN ROLE ${role}`));
      await this.changeLogin(name, randomBytes(12).toString('hex'));
    }
  }

  /** At PostgreSQL, and in the file that the service reads. */
  async changeLogin(name: string, password: string): Promise<void> {
    const { stack } = this;
    if (!stack) throw new Error('the stack is not there yet');
    await this.asOwner(stack, (database) => database.query(`ALTER ROLE "${name}" PASSWORD '${password}'`));
    this.databasePasswords.push(password);
    const url = new URL(stack.postgres.url);
    url.username = name;
    url.password = password;
    url.searchParams.set('sslmode', 'verify-full');
    url.searchParams.set('sslrootcert', this.authority.caFile);
    await writeFile(this.databaseUrlFile(name), `${url.href}\n`, { mode: 0o600 });
  }

  /** PostgreSQL writes the files itself, so that they are its own, as it demands. */
  private async encryptPostgres(stack: LocalStack): Promise<void> {
    const { certFile, keyFile } = await this.authority.issue('postgres');
    await this.asOwner(stack, async (database) => {
      const [row] = await database.query<{ folder: string }>("SELECT current_setting('data_directory') AS folder");
      for (const [name, file] of Object.entries({ 'server.crt': certFile, 'server.key': keyFile })) {
        const lines = readFileSync(file, 'utf8')
          .trim()
          .split('\n')
          .map((line) => `('${line}')`);
        const program = `umask 077; cat > ${row?.folder}/${name}`;
        await database.query(`COPY (SELECT * FROM (VALUES ${lines.join(', ')}) AS lines) TO PROGRAM '${program}'`);
      }
      await database.query('ALTER SYSTEM SET ssl = on');
      await database.query('SELECT pg_reload_conf()');
    });
  }

  private async asOwner<T>({ postgres }: LocalStack, work: (database: Database) => Promise<T>): Promise<T> {
    const database = new Database({
      url: postgres.url,
      applicationName: 'secured-cluster',
      maxConnections: 1,
      onIdleError: () => undefined,
    });
    try {
      return await work(database);
    } finally {
      await database.close();
    }
  }

  /** A registry behind TLS and a password, as a proxy in front of it would be. */
  private async guardRegistry(target: string): Promise<string> {
    const { certFile, keyFile } = await this.authority.issue('registry');
    const expected = `Basic ${Buffer.from(`${registryLogin.username}:${registryLogin.password}`).toString('base64')}`;
    const server = createServer({ cert: readFileSync(certFile), key: readFileSync(keyFile) }, (incoming, reply) => {
      if (incoming.headers.authorization !== expected) {
        reply.writeHead(401, { 'www-authenticate': 'Basic' }).end();
        return;
      }
      const { authorization: _, host: __, ...headers } = incoming.headers;
      const url = new URL(target);
      const path = `${url.pathname}${incoming.url}`;
      const forwarded = request(
        { host: url.hostname, port: url.port, path, method: incoming.method, headers },
        (from) => {
          reply.writeHead(from.statusCode ?? 502, from.headers);
          from.pipe(reply);
        },
      );
      forwarded.on('error', () => reply.writeHead(502).end());
      incoming.pipe(forwarded);
    });
    this.proxy = server;
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    return `https://127.0.0.1:${(server.address() as AddressInfo).port}`;
  }
}

const operations = { Read: 3, Write: 4, Create: 5, Describe: 8, DescribeConfigs: 10 } as const;

/** The rights that the chart gives, and no other. */
async function grantAll({ kafka }: LocalStack): Promise<void> {
  const { services, users } = await readChartFacts({ root: repositoryRoot(), built: join(repositoryRoot(), 'dist') });
  const admin = new kafkajs.Kafka({
    clientId: 'rights',
    brokers: kafka.brokers,
    logLevel: kafkajs.logLevel.NOTHING,
  }).admin();
  await admin.connect();
  try {
    await admin.createAcls({
      acl: [
        ...Object.entries(services).flatMap(([name, { acls }]) => acls.flatMap((acl) => entriesOf(name, acl))),
        ...users.operator.flatMap((acl) => entriesOf('operator', acl)),
      ],
    });
  } finally {
    await admin.disconnect();
  }
}

const entriesOf = (user: string, acl: Acl) =>
  acl.operations.map((operation) => ({
    principal: `User:${user}`,
    host: '*',
    permissionType: kafkajs.AclPermissionTypes.ALLOW,
    operation: operations[operation as keyof typeof operations] as number,
    resourceType: acl.type === 'topic' ? kafkajs.AclResourceTypes.TOPIC : kafkajs.AclResourceTypes.GROUP,
    resourceName: acl.name,
    resourcePatternType:
      acl.patternType === 'prefix' ? kafkajs.ResourcePatternTypes.PREFIXED : kafkajs.ResourcePatternTypes.LITERAL,
  }));
