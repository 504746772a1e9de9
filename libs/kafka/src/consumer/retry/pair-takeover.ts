import { type Clock, sleep } from '../../connection/clock.js';
import { errorFields, type Logger } from '../../connection/logger.js';
import type { Committer } from '../committer.js';
import { type ConsumerDriver, type OffsetCommit, partitionName, type TopicOffsets } from '../consumer-driver.js';
import type { OwnedPartition } from '../owned-partition.js';
import type { PauseRegistry } from '../pause-registry.js';
import type { TakeoverTimes } from '../runtime-options.js';
import { RetryPair } from './retry-pair.js';
import type { PlantedBug } from './retry-rules.js';
import {
  isUnclaimed,
  type PairPositions,
  positionsOf,
  restorePair,
  SeparatedPartitions,
  TakeoverWait,
} from './takeover.js';

export interface PairTakeoverParts {
  readonly mainTopic: string;
  readonly retryTopic: string;
  readonly group: string;
  readonly takeover: TakeoverTimes;
  readonly driver: Pick<ConsumerDriver, 'committed' | 'offsets'>;
  readonly clock: Clock;
  readonly logger: Logger;
  readonly pauses: PauseRegistry;
  readonly committer: Pick<Committer, 'flush'>;
  readonly noteProgress: (owner: OwnedPartition) => void;
  readonly refuse: (owner: OwnedPartition, at: Pick<OffsetCommit, 'offset' | 'metadata'>, error: unknown) => void;
  readonly scanned: (pair: RetryPair) => void;
  readonly stopping: AbortSignal;
  readonly plantedBug?: PlantedBug;
}

const pollMs = 500;

/** Rules 1 to 3: from being assigned to being open. */
export class PairTakeover {
  /** Only with the planted bug. */
  private endsBefore: TopicOffsets[] | undefined;

  constructor(private readonly parts: PairTakeoverParts) {}

  /** @throws SeparatedPartitions */
  pairUp(owned: ReadonlyMap<string, OwnedPartition>): RetryPair[] {
    const { mainTopic, retryTopic } = this.parts;
    const fresh: RetryPair[] = [];
    for (const owner of owned.values()) {
      const other = owner.topic === mainTopic ? retryTopic : mainTopic;
      const partner = owned.get(partitionName({ topic: other, partition: owner.partition }));
      if (!partner || partner.pair !== owner.pair) throw new SeparatedPartitions(partitionName(owner), other);
      if (owner.topic === mainTopic && !owner.pair) fresh.push(new RetryPair(owner, partner));
    }
    return fresh;
  }

  /** Ends when all are taken, given up or lost. */
  async take(pairs: readonly RetryPair[]): Promise<void> {
    const wait = new TakeoverWait(this.parts.clock, this.parts.takeover);
    if (this.parts.plantedBug === 'ends-first') this.endsBefore = await this.readEnds();
    for (let waiting = pairs; ; ) {
      waiting = waiting.filter((pair) => pair.isOwned && pair.scanEnd === undefined);
      if (waiting.length === 0 || this.parts.stopping.aborted) return;
      try {
        await this.takeReady(waiting, wait);
      } catch (error) {
        this.parts.logger.warn({ ...errorFields(error), group: this.parts.group }, 'consumer.offsets-unread');
      }
      if (waiting.every(({ scanEnd }) => scanEnd !== undefined)) return;
      const remainingMs = wait.remainingMs(this.parts.clock.now());
      await sleep(this.parts.clock, remainingMs > 0 ? Math.min(pollMs, remainingMs) : pollMs, this.parts.stopping);
    }
  }

  /** Main is read and attempted only when everything that was parked before is known. */
  continueScan(pair: RetryPair): void {
    if (pair.isScanned || pair.scanEnd === undefined) return;
    if ((pair.retry.tracker?.knownEnd ?? 0) < pair.scanEnd && this.parts.plantedBug !== 'early-main') return;
    this.parts.scanned(pair);
    this.parts.pauses.remove(pair.main, 'scanning');
  }

  private async takeReady(waiting: readonly RetryPair[], wait: TakeoverWait): Promise<void> {
    const { driver, clock, mainTopic, retryTopic } = this.parts;
    const topics = [mainTopic, retryTopic];
    const readAtMs = clock.now();
    const committed = new Map((await driver.committed(topics)).map((at) => [partitionName(at), at]));
    const ready = waiting.filter((pair) => wait.isOver(readAtMs, positionsOf(pair, committed)));
    if (ready.length === 0) return;
    // Never the other way round: what was parked before a position was committed is below the end read after it.
    const ends = this.endsBefore ?? (await this.readEnds());
    const restoredPairs = ready.filter((pair) => this.restore(pair, positionsOf(pair, committed), ends));
    await this.announce(restoredPairs, committed);
    const open = restoredPairs.filter(({ isOwned }) => isOwned);
    for (const pair of open) this.open(pair);
    const line = { group: this.parts.group, partitions: open.length, afterMs: wait.elapsedMs(clock.now()) };
    this.parts.logger.info(line, 'consumer.partitions-opened');
  }

  private readEnds(): Promise<TopicOffsets[]> {
    return this.parts.driver.offsets([this.parts.mainTopic, this.parts.retryTopic]);
  }

  private restore(pair: RetryPair, positions: PairPositions, ends: Parameters<typeof restorePair>[2]): boolean {
    if (!pair.isOwned) return false;
    try {
      restorePair(pair, positions, ends, this.parts.plantedBug === 'map-lost');
      return true;
    } catch (error) {
      pair.scanEnd = Number.POSITIVE_INFINITY;
      this.parts.refuse(pair.main, describe(positions.main), error);
      this.parts.refuse(pair.retry, describe(positions.retry), error);
      return false;
    }
  }

  // "Drained" and "nothing committed" both say that nobody acts. Neither may be true when we do: the next owner would trust it
  // after our crash and not wait for what we have in flight.
  private async announce(pairs: readonly RetryPair[], committed: Parameters<typeof positionsOf>[1]): Promise<void> {
    const marked = pairs.filter((pair) => isUnclaimed(positionsOf(pair, committed)));
    if (marked.length === 0) return;
    for (const pair of marked) this.parts.noteProgress(pair.main);
    await this.untilCommitted(() => marked.some(({ isOwned }) => isOwned));
  }

  /** Repeats the commit until it is acknowledged, while it matters. */
  async untilCommitted(isWanted: () => boolean): Promise<void> {
    while (isWanted() && !this.parts.stopping.aborted && !(await this.parts.committer.flush())) {
      await sleep(this.parts.clock, pollMs, this.parts.stopping);
    }
  }

  private open(pair: RetryPair): void {
    const { main, retry } = pair;
    pair.isOpen = true;
    this.parts.pauses.add(main, 'scanning');
    this.parts.pauses.remove(main, 'loading');
    this.parts.pauses.remove(retry, 'loading');
    this.continueScan(pair);
  }
}

const describe = (at: PairPositions['main']): Pick<OffsetCommit, 'offset' | 'metadata'> => ({
  offset: at?.offset ?? -1,
  metadata: at?.metadata ?? '',
});
