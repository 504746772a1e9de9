import type { TopicDefinition } from '@tributary/contracts';
import type { Failure, OnDead, Settlement } from '@tributary/domain';
import type { FetchSpacing } from '../connection/kafkajs-fetch-spacing.js';
import type { IncomingRecord } from '../records.js';
import type { GateSnapshot } from './gates.js';
import type { PauseSnapshot } from './pause-registry.js';
import type { GatePolicy } from './policy-gates.js';

export interface Attempt {
  /** From 1. Waiting behind a gate charges none. */
  readonly number: number;
  /** Epoch milliseconds of the first failed attempt; undefined when none failed yet (or this process does not know of it). */
  readonly firstFailureMs: number | undefined;
  /** Aborted when the partition is lost or the process must stop now. What the handler returns afterwards does not count. */
  readonly signal: AbortSignal;
}

/** Decides what becomes of one record. The span of the attempt is active while it runs. */
export type RecordHandler = (record: IncomingRecord, attempt: Attempt) => Promise<Settlement>;

/**
 * Decides about records that came together, all of one partition and in its order. Answers with the failures of those that must go
 * to the dead-letter topic, by their index; the others are finished. When it throws an error that is worth a retry, all of them come
 * again; at another one each comes again alone, so that a mistake costs no record but its own.
 */
export type BatchHandler = (
  records: readonly IncomingRecord[],
  attempt: Attempt,
) => Promise<ReadonlyMap<number, Failure>>;

/** Marks a handler as one of batches. */
export interface OfBatches {
  readonly ofBatches: BatchHandler;
}

/** Of a consumer whose records need no order and are dealt with many at a time. */
export interface BatchOptions {
  /** Default 500. */
  readonly maxRecords?: number;
}

export interface ConsumeOptions {
  readonly group: string;
  /** Records of one lane go one after the other, in order. Default: the key; records without a key share a lane. */
  readonly lane?: (record: IncomingRecord) => string;
  /** Attempts at the same time in this process. Default 64. */
  readonly concurrency?: number;
  /** Records of one partition in memory, above which it is not fetched. Default 2000. */
  readonly maxWindowRecords?: number;
  /** Bytes of one partition in memory, above which it is not fetched. Default 8 MiB. */
  readonly maxWindowBytes?: number;
  /** A fetch waits for so many bytes, though never longer than 250 ms: fewer requests and larger batches. Default 1: nothing waits. */
  readonly gatherBytes?: number;
  /** Default 20 ms, busy or not. A stage that nobody waits for costs less with longer ones. */
  readonly fetchSpacing?: FetchSpacing;
  /** `none`: records of one lane run at the same time too. Default `key`. */
  readonly ordering?: 'key' | 'none';
  /** For a handler of batches, which has neither order, gates nor retry topic; `concurrency` counts batches then. */
  readonly batches?: BatchOptions;
  readonly deadLetterTopic: TopicDefinition | ((record: IncomingRecord) => TopicDefinition);
  /** Which records wait together at a gate, named by `scopeWithin` when it is a part of something. Default: the `x-connection-id` header, else the lane. */
  readonly gateScope?: (record: IncomingRecord) => string;
  /** Rate, concurrency and breaker of what is called. Absent: only settlements close gates. */
  readonly gatePolicy?: GatePolicy;
  /**
   * Long waits and the overflow of closed gates go to a retry topic; absent: all waits are held in memory. The lane and the gate's
   * scope of a record must follow from its key and its headers alone.
   */
  readonly retries?: Pick<RetryOptions, 'topic'> & Partial<RetryOptions>;
  /** Called after the record is safe in the dead-letter topic, before its offset may be committed. Called again if it fails. */
  readonly onDeadLetter?: (record: IncomingRecord, failure: Failure) => Promise<void>;
}

/** How long acts of a former owner may take to land; their sum is waited for when a partition is taken without a clean hand-over. */
export interface TakeoverTimes {
  /** Longest attempt of the handler. */
  readonly attemptMs: number;
  /** Longest append to the retry topic. */
  readonly appendMs: number;
  readonly marginMs: number;
}

/** Long waits leave the lane's memory and keep the order of their key. */
export interface RetryOptions {
  /** Of this group alone: partition count of the main topic, read by the same runtime. */
  readonly topic: TopicDefinition;
  /** Waits above this are appended to the topic. */
  readonly longerThanMs: number;
  /**
   * `cross`: a record waits for the commit of what was finished before it in the other topic. `lane`: each record of a key waits for
   * the commit of the one before, so that a crash repeats at most the last record of a key.
   */
  readonly fence: 'cross' | 'lane';
  readonly takeover: TakeoverTimes;
  /**
   * Default `continue`. `hold` needs order by key. A function is asked with the root of the record's gate scope; without a failure it
   * is asked about dead letters that hold already, now and then, and `continue` ends that. It must not throw.
   */
  readonly onDead: OnDead | ((account: string, failure?: Failure) => OnDead);
}

export type SettlementKind = Settlement['to'] | 'put-back' | 'lost';

/** For metrics. Called often: must be quick and must not throw. */
export interface RuntimeObserver {
  started?(facts: StartedFacts): void;
  attempted?(facts: AttemptedFacts): void;
  /** A fetch was answered, with records or without. */
  polled?(facts: { group: string; durationMs: number }): void;
  /** Fetched records were taken over. */
  consumed?(facts: { group: string; topic: string; records: number }): void;
  committed?(facts: { group: string; partitions: number; durationMs: number; metadataCharacters: number }): void;
  commitFailed?(facts: { group: string; error: unknown; durationMs: number }): void;
  deadLettered?(facts: { group: string; topic: string; failure: Failure }): void;
  assigned?(facts: { group: string; partitions: number; isUnbroken: boolean }): void;
  /** The watchdog ended a pause without a living reason: a mistake of ours. */
  pauseEnded?(facts: { group: string; topic: string; partition: number; reason: string }): void;
}

export interface StartedFacts {
  readonly group: string;
  /** It began before its record was due, or before the pause was over that its destination asked for. Never true unless we are wrong. */
  readonly isEarly: boolean;
  /** This process had settled the record already. */
  readonly isRepeat: boolean;
  /** Of a record that had to wait: how much later than due. */
  readonly delay?: { readonly kind: 'retry' | 'gate'; readonly errorMs: number };
}

export interface AttemptedFacts {
  readonly group: string;
  readonly topic: string;
  readonly attempt: number;
  /** That the attempt was about. */
  readonly records: number;
  /** `put-back`: our infrastructure failed, no attempt was charged. `lost`: the partition went away meanwhile. */
  readonly settlement: SettlementKind;
  readonly durationMs: number;
}

export interface PartitionSnapshot {
  readonly topic: string;
  readonly partition: number;
  /** Undefined while its committed position is being read. */
  readonly watermark: number | undefined;
  /** Known offsets end here. */
  readonly knownEnd: number | undefined;
  readonly windowRecords: number;
  readonly windowBytes: number;
  readonly inFlight: number;
  /** Bytes the completion map can grow to, before base64. */
  readonly mapBytes: number;
  /** Epoch milliseconds of the timestamp of the oldest record that is not finished, leaving out keys that a dead letter holds. */
  readonly oldestUnfinishedMs: number | undefined;
}

export interface HeldLaneSnapshot {
  readonly topic: string;
  readonly partition: number;
  readonly lane: string;
  readonly offset: string;
  readonly state: 'held' | 'gated' | 'blocked';
  readonly reason: string;
  readonly sinceMs: number;
  /** Undefined: until a scope is resumed. */
  readonly untilMs: number | undefined;
  readonly attempts: number;
}

/** What waits in the retry topic. */
export interface ParkedSnapshot {
  readonly topic: string;
  readonly partition: number;
  readonly records: number;
  /** Epoch milliseconds; undefined: nothing is parked. */
  readonly earliestDueMs: number | undefined;
  /** Epoch milliseconds of the earliest first failure among them, leaving out keys that a dead letter holds; undefined: none was attempted. */
  readonly oldestFailureMs: number | undefined;
  /** As `oldestFailureMs`, of dead letters that hold their keys. */
  readonly oldestDeadMs: number | undefined;
  /** The first records of keys: each holds its key. */
  readonly heads: readonly ParkedHeadSnapshot[];
}

export interface ParkedHeadSnapshot {
  readonly lane: string;
  /** Parked records of the key. */
  readonly records: number;
  /** Offset in the main topic. */
  readonly offset: number;
  readonly attempts: number;
  /** Epoch milliseconds. */
  readonly dueMs: number;
  readonly firstFailureMs: number | undefined;
  /** The id of its dead letter, which holds the key until a person redrives or discards it; undefined: it will be attempted. */
  readonly deadLetter: string | undefined;
}

export interface RuntimeSnapshot {
  readonly group: string;
  readonly topics: readonly string[];
  readonly state: RuntimeState;
  readonly running: number;
  readonly partitions: readonly PartitionSnapshot[];
  readonly heldLanes: readonly HeldLaneSnapshot[];
  readonly gates: readonly GateSnapshot[];
  readonly pauses: readonly PauseSnapshot[];
  readonly parked: readonly ParkedSnapshot[];
}

/** `ready`: the group assigned us our partitions, however many. */
export type RuntimeState = 'new' | 'joining' | 'ready' | 'stopping' | 'stopped' | 'failed';
