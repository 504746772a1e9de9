import { deliveryHeaders, errorHeaders, originHeaders, redriveHeaders, retryHeaders } from '@tributary/contracts';
import type { Settlement } from '@tributary/domain';
import type { Clock } from '../connection/clock.js';
import type { IncomingRecord } from '../records.js';
import type { ConsumeOptions, RecordHandler, StartedFacts } from './runtime-options.js';
import { rootOf } from './scopes.js';

export interface AttemptTimingOptions {
  readonly clock: Clock;
  readonly options: Pick<ConsumeOptions, 'group' | 'gateScope'>;
  readonly onStarted: (facts: StartedFacts) => void;
}

/** So much is remembered of records and scopes, at least. */
const remembered = 10_000;

interface Due {
  readonly atMs: number;
  readonly kind: 'retry' | 'gate';
}

/**
 * Watches attempts from outside the scheduler: it knows only what handlers returned and what headers say, so it sees when an
 * attempt comes too early, too late or once more than needed, whatever the scheduler believes.
 */
export class AttemptTiming {
  private readonly dues = new Recent<Due>(remembered);
  private readonly closedUntilMs = new Recent<number>(remembered);
  private readonly settled = new Recent<true>(remembered);

  constructor(private readonly parts: AttemptTimingOptions) {}

  watch(handler: RecordHandler): RecordHandler {
    return async (record, attempt) => {
      const id = idOf(record);
      const scope = this.scopeOf(record);
      this.started(record, id, scope);
      const settlement = await handler(record, attempt);
      this.ended(settlement, id, scope);
      return settlement;
    };
  }

  private started(record: IncomingRecord, id: string, scope: string): void {
    const nowMs = this.parts.clock.now();
    const due = later(this.dues.take(id), dueIn(record));
    // A pause of the account holds for all of its parts.
    const closedUntilMs = Math.max(this.closedUntilMs.get(scope) ?? 0, this.closedUntilMs.get(rootOf(scope)) ?? 0);
    const notBeforeMs = Math.max(due?.atMs ?? 0, closedUntilMs);
    const isEarly = notBeforeMs > nowMs;
    this.parts.onStarted({
      group: this.parts.options.group,
      isEarly,
      isRepeat: this.settled.get(id) === true,
      ...(due && !isEarly && { delay: { kind: due.kind, errorMs: nowMs - notBeforeMs } }),
    });
  }

  private ended(settlement: Settlement, id: string, scope: string): void {
    const nowMs = this.parts.clock.now();
    switch (settlement?.to) {
      case 'commit':
        this.settled.set(id, true);
        break;
      case 'retry':
        this.dues.set(id, { atMs: nowMs + settlement.delayMs, kind: 'retry' });
        break;
      case 'gate': {
        const untilMs = nowMs + settlement.closedForMs;
        this.dues.set(id, { atMs: untilMs, kind: 'gate' });
        // Only what the destination asked for binds the others too; a gate of our own may be opened by a person.
        const isAskedFor = settlement.failure.errorClass === 'throttled';
        if (isAskedFor && untilMs > (this.closedUntilMs.get(scope) ?? 0)) this.closedUntilMs.set(scope, untilMs);
        break;
      }
      default:
    }
  }

  private scopeOf(record: IncomingRecord): string {
    const { gateScope } = this.parts.options;
    if (gateScope) {
      try {
        return gateScope(record);
      } catch {
        // The runtime meets the same error and says so.
      }
    }
    return record.headers[deliveryHeaders.connectionId] ?? idOf(record);
  }
}

/** The same for all copies of a record; another for each time that an operator sent it again. */
function idOf({ headers, topic, partition, offset }: IncomingRecord): string {
  const origin = headers[originHeaders.offset];
  const place =
    origin === undefined
      ? `${topic}/${partition}/${offset}`
      : `${headers[originHeaders.topic]}/${headers[originHeaders.partition]}/${origin}`;
  return `${place}/${headers[redriveHeaders.id] ?? ''}`;
}

/** What a parked copy says: also true when another process wrote it. */
function dueIn({ headers }: IncomingRecord): Due | undefined {
  const text = headers[retryHeaders.dueMs];
  if (text === undefined || !/^\d{1,16}$/.test(text)) return undefined;
  return { atMs: Number(text), kind: headers[errorHeaders.class] === 'throttled' ? 'gate' : 'retry' };
}

function later(one: Due | undefined, other: Due | undefined): Due | undefined {
  if (!one || !other) return one ?? other;
  return one.atMs >= other.atMs ? one : other;
}

/**
 * Remembers the latest ones: so many at least, twice as many at most. Two maps and not one whose oldest is deleted: to find
 * the oldest, a map passes over all that were deleted before it.
 */
class Recent<T> {
  private values = new Map<string, T>();
  private older = new Map<string, T>();

  constructor(private readonly least: number) {}

  get(name: string): T | undefined {
    return this.values.get(name) ?? this.older.get(name);
  }

  set(name: string, value: T): void {
    this.values.set(name, value);
    if (this.values.size < this.least) return;
    this.older = this.values;
    this.values = new Map();
  }

  take(name: string): T | undefined {
    const value = this.get(name);
    if (value === undefined) return undefined;
    this.values.delete(name);
    this.older.delete(name);
    return value;
  }
}
