import { randomBytes } from 'node:crypto';
import { existsSync, readFileSync } from 'node:fs';
import { mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { Kafka, logLevel } from 'kafkajs';
import { LocalStackError } from './errors.js';
import { describeExit, tailOf, waitUntilHealthy } from './health.js';
import { loopback, onFreePorts } from './ports.js';
import {
  addressesOf,
  type KafkaSecurity,
  type SecuredAddresses,
  scramArguments,
  securedProperties,
} from './secured-listeners.js';
import type { ProcessSpec, SupervisedProcess, Supervisor } from './supervisor.js';

export interface KafkaOptions {
  readonly supervisor: Supervisor;
  readonly java: string;
  readonly classPath: string;
  readonly jvmFlags: readonly string[];
  readonly dataFolder: string;
  readonly logFile: string;
  readonly port: number | undefined;
  /** Absent: everybody on this machine may do anything. */
  readonly security?: KafkaSecurity | undefined;
}

export interface RunningKafka {
  readonly process: SupervisedProcess;
  readonly brokers: string[];
  readonly secured?: SecuredAddresses;
}

interface Addresses {
  readonly brokerPort: number;
  readonly controllerPort: number;
  readonly dataFolder: string;
  readonly secured?: ReturnType<typeof securedProperties> | undefined;
}

/** One node that is broker and controller, reachable from this machine only. */
export function serverProperties({ brokerPort, controllerPort, dataFolder, secured }: Addresses): string {
  const plain = `PLAINTEXT://${loopback}:${brokerPort}`;
  const reachable = [plain, ...(secured?.listeners ?? [])];
  const settings = {
    'process.roles': 'broker,controller',
    'node.id': '1',
    'controller.quorum.voters': `1@${loopback}:${controllerPort}`,
    listeners: [...reachable, `CONTROLLER://${loopback}:${controllerPort}`].join(','),
    'advertised.listeners': reachable.join(','),
    'controller.listener.names': 'CONTROLLER',
    'listener.security.protocol.map': 'CONTROLLER:PLAINTEXT,PLAINTEXT:PLAINTEXT',
    'log.dirs': dataFolder,
    'auto.create.topics.enable': 'false',
    'offsets.topic.replication.factor': '1',
    'offsets.topic.num.partitions': '4',
    'transaction.state.log.replication.factor': '1',
    'transaction.state.log.min.isr': '1',
    'transaction.state.log.num.partitions': '4',
    'share.coordinator.state.topic.replication.factor': '1',
    'share.coordinator.state.topic.min.isr': '1',
    'group.initial.rebalance.delay.ms': '0',
    ...secured?.settings,
  };
  const lines = Object.entries(settings).map(([key, value]) => `${key}=${escapeValue(value)}`);
  return `${lines.join('\n')}\n`;
}

/** A backslash starts an escape in a properties file, and characters beyond ASCII are read in another encoding. */
function escapeValue(value: string): string {
  const escapeUnit = (unit: string) => `\\u${unit.charCodeAt(0).toString(16).padStart(4, '0')}`;
  return value.replaceAll('\\', '\\\\').replace(/[^\x20-\x7e]/g, escapeUnit);
}

export async function startKafka(options: KafkaOptions): Promise<RunningKafka> {
  const { dataFolder, logFile, security } = options;
  const wanted = [options.port, undefined, ...(security ? [undefined, undefined] : [])];
  return onFreePorts(wanted, async ([brokerPort, controllerPort, scram, mtls]) => {
    const ports = { scram: scram ?? 0, mtls: mtls ?? 0 };
    const secured = security && securedProperties(security, ports);
    const addresses = { brokerPort: brokerPort!, controllerPort: controllerPort!, dataFolder, secured };
    const configFile = `${dataFolder}.properties`;
    await mkdir(dataFolder, { recursive: true });
    await writeFile(configFile, serverProperties(addresses));
    await format(options, configFile);
    const process = await options.supervisor.spawn(broker(options, configFile));
    const address = `${loopback}:${brokerPort}`;
    await waitUntilHealthy({ process, logFile, deadlineMs: 90_000, probe: () => requireOwn(address, dataFolder) });
    return { process, brokers: [address], ...(security && { secured: addressesOf(ports) }) };
  });
}

function javaArgs({ classPath, logFile }: KafkaOptions, mainClass: string): string[] {
  const log4j = fileURLToPath(new URL('./log4j2.properties', import.meta.url));
  return [`-Dlog4j2.configurationFile=${log4j}`, `-XX:ErrorFile=${logFile}.jvm-crash`, '-cp', classPath, mainClass];
}

function broker(options: KafkaOptions, configFile: string): ProcessSpec {
  return {
    name: 'kafka',
    command: options.java,
    args: [...options.jvmFlags, ...javaArgs(options, 'kafka.Kafka'), configFile],
    logFile: options.logFile,
    stopOrder: 1,
  };
}

async function format(options: KafkaOptions, configFile: string): Promise<void> {
  const { supervisor, java, dataFolder, logFile, security } = options;
  if (existsSync(join(dataFolder, 'meta.properties'))) return;
  const clusterId = newClusterId();
  const users = security ? scramArguments(security) : [];
  const args = ['format', '--cluster-id', clusterId, '--config', configFile, '--ignore-formatted', ...users];
  const tool = await supervisor.spawn({
    name: 'kafka-format',
    command: java,
    args: ['-XX:TieredStopAtLevel=1', '-XX:+UseSerialGC', ...javaArgs(options, 'kafka.tools.StorageTool'), ...args],
    logFile,
  });
  const exit = await tool.exited;
  if (exit.code === 0) return;
  throw new LocalStackError(`formatting Kafka's data folder failed (${describeExit(exit)})\n${tailOf(logFile)}`);
}

/** Kafka's form of a UUID. Never begins with a hyphen: its tool would take the id for another option, one time in 64. */
export function newClusterId(): string {
  const bytes = randomBytes(16);
  bytes[0] = (bytes[0] as number) & 0x7f;
  return bytes.toString('base64url');
}

/** Ready when the cluster that answers is the one formatted here and its broker is registered, so topics can be made. */
async function requireOwn(address: string, dataFolder: string): Promise<void> {
  const kafka = new Kafka({
    clientId: 'local-stack',
    brokers: [address],
    logLevel: logLevel.NOTHING,
    connectionTimeout: 1_000,
    requestTimeout: 3_000,
    retry: { retries: 0 },
  });
  const admin = kafka.admin();
  try {
    await admin.connect();
    const { brokers, clusterId } = await admin.describeCluster();
    if (clusterId !== formattedClusterId(dataFolder)) throw new Error(`another Kafka answers on ${address}`);
    if (brokers.length === 0) throw new Error('the broker has not registered itself yet');
  } finally {
    await admin.disconnect();
  }
}

function formattedClusterId(dataFolder: string): string | undefined {
  return /^cluster\.id=(.*)$/m.exec(readFileSync(join(dataFolder, 'meta.properties'), 'utf8'))?.[1]?.trim();
}
