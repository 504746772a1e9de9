import { deliveryHeaders, originHeaders } from '@tributary/contracts';
import { errorFields, type Logger } from '../connection/logger.js';
import { headerText } from '../records.js';
import type { FetchedBatch, FetchedMessage } from './consumer-driver.js';
import { FetchedRecord } from './fetched-record.js';
import type { KeyScheduler } from './key-scheduler.js';
import { type Entry, laneIn, type Member, type OwnedPartition } from './owned-partition.js';
import { PartitionTracker } from './partition-tracker.js';
import type { PauseRegistry } from './pause-registry.js';
import type { BatchOptions, ConsumeOptions } from './runtime-options.js';
import { rootScope } from './scopes.js';

export type WindowLimits = Required<Pick<ConsumeOptions, 'maxWindowRecords' | 'maxWindowBytes' | 'ordering'>>;

/** Lane of records without a key when no lane function says otherwise; cannot be the text of a key, which is latin1. */
const keylessLane = '\u{1f511}';
/** What a record costs besides its key and value. */
const recordOverheadBytes = 200;
const defaultBatchRecords = 500;

export interface AdmissionParts {
  readonly options: WindowLimits & Pick<ConsumeOptions, 'lane' | 'gateScope' | 'batches'>;
  readonly scheduler: () => Pick<KeyScheduler, 'add'>;
  readonly pauses: PauseRegistry;
  readonly logger: Logger;
  /** True when the record must not be attempted, because it is parked as well: it is finished at once. */
  readonly isGhost: (owner: OwnedPartition, record: FetchedRecord, lane: string, position: number) => boolean;
  /** True when the partition must be read on, however full the window is. */
  readonly mustReadOn: (owner: OwnedPartition) => boolean;
}

/** Takes fetched records into their lanes, as many as may be in memory. */
export class Admission {
  /** Paused because there is enough to do. */
  private readonly saturated = new Set<OwnedPartition>();

  constructor(private readonly parts: AdmissionParts) {}

  trackerOf(owner: OwnedPartition, { fetchedFrom }: FetchedBatch): PartitionTracker | undefined {
    if (!owner.tracker && owner.isFresh) owner.tracker = new PartitionTracker(fetchedFrom);
    return owner.tracker;
  }

  /** @returns one past the last offset that was taken over. */
  admit(owner: OwnedPartition, tracker: PartitionTracker, batch: FetchedBatch): number {
    if (this.parts.options.batches) return this.admitTogether(owner, tracker, batch, this.parts.options.batches);
    return this.admitEach(owner, tracker, batch, (message, position) => this.enqueue(owner, message, position));
  }

  private admitTogether(
    owner: OwnedPartition,
    tracker: PartitionTracker,
    batch: FetchedBatch,
    { maxRecords = defaultBatchRecords }: BatchOptions,
  ): number {
    let members: Member[] = [];
    let bytes = 0;
    const add = () => {
      if (members.length > 0) this.addTogether(owner, members, bytes);
      members = [];
      bytes = 0;
    };
    const taken = this.admitEach(owner, tracker, batch, (message, position) => {
      members.push({ record: new FetchedRecord(owner.topic, owner.partition, message), position });
      bytes += bytesOf(message);
      if (members.length === maxRecords) add();
    });
    add();
    return taken;
  }

  private addTogether(owner: OwnedPartition, members: readonly Member[], bytes: number): void {
    owner.windowRecords += members.length;
    owner.windowBytes += bytes;
    this.parts.scheduler().add(batchEntry(owner, members, bytes));
  }

  /** As `admit`, with something else done to each new record. */
  admitEach(
    owner: OwnedPartition,
    tracker: PartitionTracker,
    { messages, nextOffset }: FetchedBatch,
    take: (message: FetchedMessage, position: number) => void,
  ): number {
    const fitsWhole = tracker.canAdmit(nextOffset - 1, messages.length);
    for (const message of messages) {
      const offset = Number(message.offset);
      if (tracker.isKnown(offset)) continue;
      if (!fitsWhole && !tracker.canAdmit(offset)) {
        this.parts.pauses.add(owner, 'map');
        return tracker.knownEnd;
      }
      const position = tracker.admit(offset);
      if (position >= 0) take(message, position);
    }
    tracker.noteFetchedUpTo(nextOffset);
    return Math.max(tracker.knownEnd, nextOffset);
  }

  laneKey(record: FetchedRecord): string {
    const { lane } = this.parts.options;
    if (lane) {
      try {
        return lane(record);
      } catch (error) {
        // Admission must not fail; the handler meets the same record and settles it.
        this.logMistake(error, record, 'lane-failed');
      }
    }
    return record.key?.toString('latin1') ?? keylessLane;
  }

  scopeOf(record: FetchedRecord, laneKey: string): string {
    const { gateScope } = this.parts.options;
    if (gateScope) {
      try {
        return gateScope(record);
      } catch (error) {
        this.logMistake(error, record, 'gate-scope-failed');
      }
    }
    const connection = headerText(record.rawHeaders, deliveryHeaders.connectionId);
    if (connection !== undefined) return connection;
    // A parked record waits at the gate of the lane it came from.
    const topic = headerText(record.rawHeaders, originHeaders.topic) ?? record.topic;
    return rootScope(`${topic}:${record.partition}:${laneKey}`);
  }

  pauseWhenFull(owner: OwnedPartition): void {
    const { maxWindowRecords, maxWindowBytes } = this.parts.options;
    const isFull = owner.windowRecords >= maxWindowRecords || owner.windowBytes >= maxWindowBytes;
    const hasEnough = owner.windowRecords >= owner.prefetchRecords;
    if (!(isFull || hasEnough) || this.parts.mustReadOn(owner)) return;
    if (!isFull) this.saturated.add(owner);
    this.parts.pauses.add(owner, isFull ? 'window' : 'prefetch');
  }

  /** There are free slots and nothing may start: a hot key or a closed gate fills what was read, so more is. */
  readMore(): void {
    for (const owner of this.saturated) {
      owner.prefetchRecords = Math.min(owner.prefetchRecords * 2, this.parts.options.maxWindowRecords);
      this.parts.pauses.remove(owner, 'prefetch');
    }
    this.saturated.clear();
  }

  resumeWhenRoom(owner: OwnedPartition): void {
    if (this.saturated.has(owner) && !this.hasEnough(owner)) {
      this.saturated.delete(owner);
      this.parts.pauses.remove(owner, 'prefetch');
    }
    if (this.hasRoom(owner) || this.parts.mustReadOn(owner)) this.parts.pauses.remove(owner, 'window');
    if (owner.tracker?.hasRoom) this.parts.pauses.remove(owner, 'map');
  }

  /** True while the reason for the pause holds. */
  mustPause(owner: OwnedPartition, reason: 'prefetch' | 'window' | 'map'): boolean {
    if (reason === 'prefetch') return this.saturated.has(owner);
    if (reason === 'map') return owner.tracker !== undefined && !owner.tracker.hasRoom;
    return !this.hasRoom(owner) && !this.parts.mustReadOn(owner);
  }

  hasToReadOn(owner: OwnedPartition): boolean {
    return this.parts.mustReadOn(owner);
  }

  hasRoom({ windowRecords, windowBytes }: Pick<OwnedPartition, 'windowRecords' | 'windowBytes'>): boolean {
    const { maxWindowRecords, maxWindowBytes } = this.parts.options;
    return windowRecords <= maxWindowRecords / 2 && windowBytes <= maxWindowBytes / 2;
  }

  private hasEnough(owner: OwnedPartition): boolean {
    return owner.windowRecords > owner.prefetchRecords / 2 && !this.parts.mustReadOn(owner);
  }

  private enqueue(owner: OwnedPartition, message: FetchedMessage, position: number): void {
    const record = new FetchedRecord(owner.topic, owner.partition, message);
    const laneKey = this.laneKey(record);
    if (this.parts.isGhost(owner, record, laneKey, position)) return;
    const bytes = bytesOf(message);
    owner.windowRecords += 1;
    owner.windowBytes += bytes;
    // Without order every record is a lane of its own.
    const lane = laneIn(owner, this.parts.options.ordering === 'key' ? laneKey : `${laneKey}#${record.offsetText}`);
    this.parts.scheduler().add(entryOf(lane, record, position, bytes));
  }

  private logMistake(error: unknown, { topic, partition, offsetText }: FetchedRecord, what: string): void {
    this.parts.logger.error({ ...errorFields(error), topic, partition, offset: offsetText }, `record.${what}`);
  }
}

export const bytesOf = (message: FetchedMessage): number =>
  (message.payloadBytes ?? (message.value?.length ?? 0) + (message.key?.length ?? 0)) + recordOverheadBytes;

/** Records that are attempted together, in a lane of their own. */
export function batchEntry(owner: OwnedPartition, members: readonly Member[], bytes: number, name = 'batch'): Entry {
  const { record, position } = members[0] as Member;
  return entryOf(laneIn(owner, `${name}#${record.offsetText}`), record, position, bytes, members);
}

export function entryOf(
  lane: Entry['lane'],
  record: FetchedRecord,
  position: number,
  bytes: number,
  members?: readonly Member[],
): Entry {
  return {
    owner: lane.owner,
    record,
    position,
    bytes,
    lane,
    next: undefined,
    attempts: 0,
    firstFailureMs: undefined,
    gatedSinceMs: undefined,
    faults: 0,
    copy: undefined,
    members,
  };
}
