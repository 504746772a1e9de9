import { type Clock, type ClockTimer, sleep } from '../connection/clock.js';
import { isFinalAnswer } from '../connection/kafka-errors.js';
import { errorFields, type Logger } from '../connection/logger.js';
import type { ConsumerDriver, Join, OffsetCommit } from './consumer-driver.js';
import { NotAMember } from './group-session.js';
import type { OwnedPartition } from './owned-partition.js';
import type { PlantedBug } from './retry/retry-rules.js';
import type { RuntimeObserver } from './runtime-options.js';

export interface CommitterOptions {
  readonly driver: Pick<ConsumerDriver, 'commit'>;
  readonly clock: Clock;
  readonly logger: Logger;
  readonly group: string;
  readonly owned: () => Iterable<OwnedPartition>;
  readonly observer?: RuntimeObserver;
  /** A commit was acknowledged, which holds each partition up to the version. */
  readonly onAcknowledged?: (versions: ReadonlyMap<OwnedPartition, number>) => void;
  /** The rule the simulation breaks. */
  readonly plantedBug?: PlantedBug;
}

const everyMs = 250;
const longestPauseMs = 2_000;
/** A rejoin does not wait longer: the member must be back before its session ends. */
const rebalanceLimitMs = 2_000;
/**
 * Nor does the join of a client that started again, mostly because the broker did. It has no session to keep, and while the broker
 * takes no commit of the group it takes no join either; without the commit the partitions would stand still for the takeover wait.
 */
const restartLimitMs = 15_000;
const closeLimitMs = 5_000;

interface Snapshot {
  readonly offsets: OffsetCommit[];
  readonly versions: Map<OwnedPartition, number>;
}

/**
 * Commits what is finished: all partitions in one request, each with its completion map, only those owned at the moment of the
 * request. A failed commit is repeated with what is true by then.
 */
export class Committer {
  private timer: ClockTimer | undefined;
  private running: Promise<boolean> | undefined;
  private failures = 0;
  /** The last commit was refused for good: another member is the owner, or we have left. */
  private isRefused = false;
  private closed = false;
  private isKicked = false;

  constructor(private readonly options: CommitterOptions) {}

  /** There is something new; it is committed soon. */
  schedule(): void {
    if (this.timer || this.closed) return;
    const delayMs = Math.min(everyMs * 2 ** this.failures, longestPauseMs);
    this.timer = this.options.clock.after(delayMs, () => {
      this.timer = undefined;
      void this.commit(false).then((isDone) => isDone || this.schedule());
    });
  }

  /** Somebody waits for the acknowledgement: commits as soon as the present turn of the event loop is over. */
  kick(): void {
    if (this.isKicked || this.closed) return;
    this.isKicked = true;
    this.options.clock.after(0, () => {
      this.isKicked = false;
      void this.commit(false).then((isDone) => isDone || this.schedule());
    });
  }

  /** Commits now. @returns false when it failed. */
  flush(): Promise<boolean> {
    return this.commit(false);
  }

  /** The last commit before another member may own our partitions. */
  async commitForJoin({ asNewMember }: Join): Promise<void> {
    if (this.options.plantedBug === 'join-unsaid') return;
    await this.lastTries(asNewMember ? restartLimitMs : rebalanceLimitMs, () => !this.closed);
  }

  /** The last commit. */
  async close(): Promise<void> {
    this.closed = true;
    this.timer?.cancel();
    await this.lastTries(closeLimitMs);
  }

  /** Repeats the last commit until it is acknowledged, it is refused for good, the time is up, or nobody wants it any more. */
  private async lastTries(limitMs: number, isWanted = () => true): Promise<void> {
    const { clock } = this.options;
    const giveUp = new AbortController();
    const tries = (async () => {
      while (isWanted() && !(await this.commit(true)) && !this.isRefused && !giveUp.signal.aborted)
        await sleep(clock, everyMs, giveUp.signal);
      giveUp.abort();
    })();
    await Promise.race([tries, sleep(clock, limitMs, giveUp.signal)]);
    giveUp.abort();
  }

  /** One request at a time, so that an older snapshot never overtakes a newer one. @returns false when it failed. */
  private async commit(isLast: boolean): Promise<boolean> {
    while (this.running) await this.running;
    const snapshot = this.snapshot(isLast);
    if (snapshot.offsets.length === 0) return true;
    this.running = this.send(snapshot);
    try {
      return await this.running;
    } finally {
      this.running = undefined;
    }
  }

  private snapshot(isLast: boolean): Snapshot {
    const offsets: OffsetCommit[] = [];
    const versions = new Map<OwnedPartition, number>();
    for (const owner of this.options.owned()) {
      const { tracker, version, topic, partition } = owner;
      if (!owner.isOwned || !tracker) continue;
      if (!isLast && !hasNews(owner)) continue;
      if (isUntouched(owner)) continue;
      const metadata = tracker.completionMap(isLast && isQuiet(owner));
      const offset = tracker.watermark + (this.options.plantedBug === 'commit-one-too-far' ? 1 : 0);
      offsets.push({ topic, partition, offset, metadata });
      versions.set(owner, version);
    }
    return { offsets, versions };
  }

  private async send({ offsets, versions }: Snapshot): Promise<boolean> {
    const { driver, group, logger, observer } = this.options;
    const startedMs = performance.now();
    try {
      await driver.commit(offsets);
    } catch (error) {
      this.failures += 1;
      this.isRefused = isFinalAnswer(error) || error instanceof NotAMember;
      logger[this.failures === 3 ? 'warn' : 'debug']({ ...errorFields(error), group }, 'consumer.commit-failed');
      observer?.commitFailed?.({ group, error, durationMs: performance.now() - startedMs });
      return false;
    }
    this.failures = 0;
    this.isRefused = false;
    for (const [owner, version] of versions) owner.committedVersion = version;
    this.options.onAcknowledged?.(versions);
    observer?.committed?.({
      group,
      partitions: offsets.length,
      durationMs: performance.now() - startedMs,
      metadataCharacters: offsets.reduce((most, { metadata }) => Math.max(most, metadata.length), 0),
    });
    return true;
  }
}

// Main and retry of a number go into one request, as one snapshot: so the one says nothing that the other does not know.
const hasNews = (owner: OwnedPartition): boolean =>
  isChanged(owner) || (owner.pair !== undefined && (isChanged(owner.pair.main) || isChanged(owner.pair.retry)));

/** Nothing was read of it yet, so there is nothing to say. Of a pair there is: that nobody acts, which the next owner must know. */
const isUntouched = ({ version, pair }: OwnedPartition): boolean => !pair && version === 0;

const isChanged = ({ version, committedVersion }: OwnedPartition): boolean => version !== committedVersion;

const isQuiet = ({ inFlight, appending, pair }: OwnedPartition): boolean =>
  pair
    ? pair.main.inFlight + pair.main.appending + pair.retry.inFlight + pair.retry.appending === 0
    : inFlight + appending === 0;
