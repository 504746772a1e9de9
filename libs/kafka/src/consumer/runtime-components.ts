import type { TopicDefinition } from '@tributary/contracts';
import { type Clock, systemClock } from '../connection/clock.js';
import type { Logger } from '../connection/logger.js';
import type { RecordProducer } from '../producer/record-producer.js';
import { Admission } from './admission.js';
import { BatchSettler, type BatchSettlerParts } from './batch-settler.js';
import { Committer } from './committer.js';
import type { ConsumerDriver } from './consumer-driver.js';
import { DeadLetters } from './dead-letters.js';
import { KeyScheduler } from './key-scheduler.js';
import type { Entry, OwnedPartition } from './owned-partition.js';
import { PartitionLoader } from './partition-loader.js';
import { PauseRegistry } from './pause-registry.js';
import { PauseWatchdog } from './pause-watchdog.js';
import { PairTakeover } from './retry/pair-takeover.js';
import { RetryChain } from './retry/retry-chain.js';
import { pairOf, type RetryPair } from './retry/retry-pair.js';
import { defaultLongerThanMs, defaultTakeover, type PlantedBug } from './retry/retry-rules.js';
import type { ConsumeOptions, OfBatches, RecordHandler, RetryOptions, RuntimeObserver } from './runtime-options.js';
import { Settler, type SettlerParts } from './settler.js';

export interface ConsumerRuntimeParts {
  readonly driver: ConsumerDriver;
  /** Writes dead letters. */
  readonly producer: Pick<RecordProducer, 'send'>;
  readonly topics: readonly TopicDefinition[];
  readonly options: ConsumeOptions;
  readonly handler: RecordHandler | OfBatches;
  readonly logger: Logger;
  readonly clock?: Clock;
  readonly observer?: RuntimeObserver;
  /** The consumer is dead and the process should end with an error. */
  readonly onFatal?: (error: Error) => void;
  /** Breaks one rule, so that the simulation can prove that it notices. */
  readonly plantedBug?: PlantedBug;
}

type Limits = Required<Pick<ConsumeOptions, 'concurrency' | 'maxWindowRecords' | 'maxWindowBytes' | 'ordering'>>;
const defaults: Limits = {
  concurrency: 64,
  maxWindowRecords: 2_000,
  maxWindowBytes: 8 * 1024 * 1024,
  ordering: 'key',
};

/** What the components ask of the runtime that they make up. */
export interface RuntimeView {
  readonly owned: () => Iterable<OwnedPartition>;
  /** An attempt or an append is over. */
  readonly noteIdle: () => void;
  readonly stopping: AbortSignal;
}

/** The layers of the runtime, each given the ones it works with. */
export class RuntimeComponents {
  readonly clock: Clock;
  readonly scheduler: KeyScheduler;
  readonly pauses: PauseRegistry;
  readonly admission: Admission;
  readonly committer: Committer;
  readonly loader: PartitionLoader;
  readonly watchdog: PauseWatchdog;
  /** Undefined without a retry topic. */
  readonly chain: RetryChain | undefined;
  readonly takeover: PairTakeover | undefined;

  constructor(
    parts: ConsumerRuntimeParts,
    private readonly view: RuntimeView,
  ) {
    const { driver, logger, handler, producer, observer, plantedBug } = parts;
    const { stopping, noteIdle, owned } = view;
    const options = optionsOf(parts);
    const { group } = options;
    const clock = parts.clock ?? systemClock;
    const mayAct = () => clock.now() < (driver.sessionEndsAtMs?.() ?? Number.POSITIVE_INFINITY);
    const noteProgress = (owner: OwnedPartition) => this.noteProgress(owner);
    const planted = plantedBug && { plantedBug };
    this.clock = clock;
    const scheduler = new KeyScheduler({
      clock,
      concurrency: options.concurrency,
      scopeOf: ({ record, lane }) => this.admission.scopeOf(record, lane.key),
      attempt: (entry) => attempt(entry),
      permit: (entry) => this.chain?.permit(entry) ?? 'go',
      onStarved: () => this.admission.readMore(),
      onOpen: (scope) => this.chain?.onOpen(this.pairs(), scope),
      bringOne: (scope) => this.chain?.bringOne(this.pairs(), scope) ?? false,
      policy: options.gatePolicy,
      mayStart: mayAct,
    });
    const pauses = new PauseRegistry(driver, () => clock.now(), plantedBug);
    const admission = new Admission({
      options,
      scheduler: () => scheduler,
      pauses,
      logger,
      isGhost: (owner, record, lane, position) => this.chain?.dropGhost(owner, record, lane, position) ?? false,
      mustReadOn,
    });
    const deadLetters = new DeadLetters({ options, producer, logger, clock });
    const committer = new Committer({
      driver,
      clock,
      logger,
      group,
      owned,
      onAcknowledged: (versions) => {
        for (const [owner, version] of versions) this.chain?.onCommitted(owner, version);
      },
      ...(observer && { observer }),
      ...planted,
    });
    const layers = {
      group,
      options,
      driver,
      clock,
      logger,
      producer,
      scheduler,
      pauses,
      admission,
      deadLetters,
      committer,
    };
    const shared = { ...layers, noteProgress, noteIdle, stopping, ...planted };
    this.scheduler = scheduler;
    this.pauses = pauses;
    this.admission = admission;
    this.committer = committer;
    this.loader = new PartitionLoader(shared);
    const retries = retryOptionsOf(options);
    if (retries) {
      if (options.ordering === 'none' && retries.onDead !== 'continue') throw new HoldWithoutOrder(group);
      const mainTopic = mainTopicOf(parts, retries);
      this.chain = new RetryChain({ ...shared, mainTopic, retries, mayAct });
      this.takeover = new PairTakeover({
        ...shared,
        mainTopic,
        retryTopic: retries.topic.name,
        takeover: retries.takeover,
        refuse: (owner, at, error) => this.loader.refuse(owner, at, error),
        scanned: (pair) => this.chain?.scanned(pair),
      });
    }
    this.watchdog = new PauseWatchdog({ ...shared, owned, observer });
    const attempt = attemptOf(handler, { ...shared, observer, chain: this.chain });
  }

  /** There is something new to commit. */
  noteProgress(owner: OwnedPartition): void {
    owner.version += 1;
    this.committer.schedule();
  }

  /** What has to be looked at now and then. */
  keepHouse(): void {
    this.watchdog.look();
    for (const pair of this.pairs()) this.chain?.keepHouse(pair);
  }

  *pairs(): Iterable<RetryPair> {
    for (const owner of this.view.owned()) {
      const pair = pairOf(owner);
      if (pair?.main === owner) yield pair;
    }
  }
}

function optionsOf({ options, handler }: ConsumerRuntimeParts): ConsumeOptions & Limits {
  if (typeof handler === 'function') {
    if (options.batches)
      throw new TypeError(`group ${options.group} has options of batches, but its handler is of records`);
    return { ...defaults, ...options };
  }
  const misfits = (['retries', 'gatePolicy', 'gateScope', 'lane'] as const).filter(
    (name) => options[name] !== undefined,
  );
  if (misfits.length > 0 || options.ordering !== 'none')
    throw new TypeError(
      `group ${options.group} takes records in batches, so it says ordering: 'none' and nothing of ${misfits.join(', ') || 'lanes, gates and retries'}`,
    );
  return { ...defaults, ...options, batches: options.batches ?? {} };
}

function attemptOf(
  handler: RecordHandler | OfBatches,
  parts: Omit<SettlerParts, 'handler'> & BatchSettlerParts,
): (entry: Entry) => void {
  const settler =
    typeof handler === 'function' ? new Settler({ ...parts, handler }) : new BatchSettler(handler.ofBatches, parts);
  return (entry) => settler.attempt(entry);
}

/** A mistake in the options of the group. */
class HoldWithoutOrder extends TypeError {
  override readonly name = 'HoldWithoutOrder';

  constructor(group: string) {
    super(
      `group ${group} has no order by key, so a dead letter has no key to hold; leave out retries.onDead or ordering: 'none'`,
    );
  }
}

function mainTopicOf({ topics, options }: ConsumerRuntimeParts, { topic }: RetryOptions): string {
  const names = topics.map(({ name }) => name);
  const [main, ...more] = names.filter((name) => name !== topic.name);
  if (main !== undefined && more.length === 0 && names.includes(topic.name)) return main;
  throw new TypeError(
    `group ${options.group} has the retry topic ${topic.name}, so it must consume that and one other, not ${names.join(', ')}`,
  );
}

/** Below the highest parked record main is always read: the parked one waits for it, so a full window would wait for itself. */
function mustReadOn(owner: OwnedPartition): boolean {
  const pair = pairOf(owner);
  return pair !== undefined && (owner.tracker?.knownEnd ?? 0) <= pair.index.highestOrigin;
}

function retryOptionsOf({ retries }: ConsumeOptions): RetryOptions | undefined {
  const byDefault = {
    longerThanMs: defaultLongerThanMs,
    takeover: defaultTakeover,
    fence: 'cross',
    onDead: 'continue',
  } as const;
  return retries && { ...byDefault, ...retries };
}
