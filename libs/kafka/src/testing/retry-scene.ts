import { deadLetterTopicOf, defineTopic, retryTopicOf } from '@tributary/contracts';
import type { Settlement } from '@tributary/domain';
import { ConsumerRuntime } from '../consumer/consumer-runtime.js';
import type { Attempt, ConsumeOptions } from '../consumer/runtime-options.js';
import type { IncomingRecord, OutgoingRecord } from '../records.js';
import { silentLogger } from './silent-logger.js';
import { SimulatedBroker, SimulatedDriver } from './simulated-driver.js';
import { VirtualClock } from './virtual-clock.js';

export const main = defineTopic({
  name: 'main',
  records: [],
  key: 'any',
  owner: 'tests',
  partitions: 1,
  purpose: 'A test.',
});
export const retry = retryTopicOf(main);
export const p = { topic: 'main', partition: 0 };
export const r = { topic: retry.name, partition: 0 };
export const text = (record: IncomingRecord) => String(record.value);

export interface SceneWorld {
  readonly broker: SimulatedBroker;
  readonly clock: VirtualClock;
}

/** One runtime on a simulated broker; `turn` fetches and lets time pass. After `crash`, another scene of the same world takes its place. */
export async function scene(
  handler: (record: IncomingRecord, attempt: Attempt) => Promise<Settlement>,
  options: Partial<ConsumeOptions> = {},
  { broker, clock }: SceneWorld = { broker: new SimulatedBroker(), clock: new VirtualClock() },
) {
  const driver = new SimulatedDriver(broker);
  const dead: OutgoingRecord[] = [];
  const fatal: Error[] = [];
  /** `beforeSend` and `afterSend` may fail, or crash the process: then nobody learns what became of it. */
  const hooks: { beforeSend?: (record: OutgoingRecord) => void; afterSend?: (record: OutgoingRecord) => void } = {};
  let isAlive = true;
  const whileAlive = <T>(value: T): T | Promise<never> => (isAlive ? value : new Promise<never>(() => {}));
  const send = async (record: OutgoingRecord) => {
    hooks.beforeSend?.(record);
    await whileAlive(undefined);
    if (record.topic !== retry.name) dead.push(record);
    const at = { topic: record.topic, partition: 0 };
    const offset = broker.append(at, String(record.key), String(record.value), 0, { ...record.headers }, clock.now());
    hooks.afterSend?.(record);
    return whileAlive({ ...at, offset: BigInt(offset) });
  };
  const runtime = new ConsumerRuntime({
    driver,
    producer: { send },
    topics: [main, retry],
    options: { group: 'tests', deadLetterTopic: deadLetterTopicOf(main), retries: { topic: retry }, ...options },
    handler,
    logger: silentLogger,
    clock,
    onFatal: (error) => void fatal.push(error),
  });
  await runtime.start();
  const turn = async (ms: number) => {
    if (isAlive) driver.fetch();
    await clock.advance(ms);
  };
  const crash = () => {
    isAlive = false;
    runtime.onAssigned({ partitions: [], isUnbroken: false });
  };
  return { broker, clock, driver, dead, fatal, runtime, turn, crash, hooks };
}
