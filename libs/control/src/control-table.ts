import { setTimeout as pause } from 'node:timers/promises';
import type { ApiKey, Connection, RecordName, Subscription, Suspension, TopicDefinition } from '@tributary/contracts';
import { topics } from '@tributary/contracts';

/** Row type and topic of each control table. */
export interface ControlRows {
  connections: Connection;
  subscriptions: Subscription;
  suspensions: Suspension;
  apiKeys: ApiKey;
}
export type ControlTableName = keyof ControlRows;

export const controlTopics: Readonly<Record<ControlTableName, { topic: TopicDefinition; record: RecordName }>> = {
  connections: { topic: topics.connections, record: 'tributary.control.Connection' },
  subscriptions: { topic: topics.subscriptions, record: 'tributary.control.Subscription' },
  suspensions: { topic: topics.suspensions, record: 'tributary.control.Suspension' },
  apiKeys: { topic: topics.apiKeys, record: 'tributary.control.ApiKey' },
};

type Listener<Row> = (id: string, row: Row | undefined) => void;

/** A control topic as a map in memory: the last row of each id. Changes as the topic does. */
export class ControlTable<Row> {
  private readonly rows = new Map<string, Row>();
  private readonly listeners: Listener<Row>[] = [];

  get(id: string): Row | undefined {
    return this.rows.get(id);
  }

  all(): ReadonlyMap<string, Row> {
    return this.rows;
  }

  /** Called after each change; undefined means deleted. */
  onChange(listener: Listener<Row>): void {
    this.listeners.push(listener);
  }

  put(id: string, row: Row | undefined): void {
    if (row === undefined) this.rows.delete(id);
    else this.rows.set(id, row);
    for (const listener of this.listeners) listener(id, row);
  }
}

export type ControlTables = { readonly [Name in ControlTableName]: ControlTable<ControlRows[Name]> };

export function emptyControlTables(): ControlTables {
  return {
    connections: new ControlTable<Connection>(),
    subscriptions: new ControlTable<Subscription>(),
    suspensions: new ControlTable<Suspension>(),
    apiKeys: new ControlTable<ApiKey>(),
  };
}

/** Reads a compacted topic to its end, then follows it. Resolves when the end was reached. */
export type FollowTopic = (
  topic: TopicDefinition,
  onRecord: (key: string, value: Buffer | null) => Promise<void>,
) => Promise<{ close(): Promise<void> }>;

export type DecodeRow = (value: Buffer, record: RecordName) => Promise<unknown>;

/** A row that this build cannot read: the table would be wrong without it, so it is said, loudly. */
export type UnreadableRow = (table: ControlTableName, id: string, error: Error) => void;

export interface FollowedTables {
  readonly tables: ControlTables;
  close(): Promise<void>;
}

/** Follows the named tables. Resolves when all are complete. */
export async function followControlTables(
  names: readonly ControlTableName[],
  follow: FollowTopic,
  decode: DecodeRow,
  onUnreadable: UnreadableRow,
): Promise<FollowedTables> {
  const tables = emptyControlTables();
  const closing = new AbortController();
  const followed = await Promise.all(
    names.map((name) => {
      const { topic, record } = controlTopics[name];
      const table = tables[name] as ControlTable<unknown>;
      return follow(topic, async (key, value) => {
        if (value === null) return table.put(key, undefined);
        const row = await untilAnswered(() => decode(value, record), closing.signal).catch((error: Error) => {
          if (!closing.signal.aborted) onUnreadable(name, key, error);
        });
        if (row !== undefined) table.put(key, row);
      });
    }),
  );
  return {
    tables,
    close: async () => {
      // A reader that waits for the registry would keep the process from ending.
      closing.abort();
      await Promise.all(followed.map((one) => one.close()));
    },
  };
}

const pauseMs = 500;

/** Repeats while the registry is away: a table that left a row out would be wrong for good. */
async function untilAnswered<T>(ask: () => Promise<T>, closing: AbortSignal): Promise<T> {
  for (;;) {
    try {
      return await ask();
    } catch (error) {
      if (closing.aborted || (error as { retryable?: boolean }).retryable !== true) throw error;
      await pause(pauseMs, undefined, { signal: closing }).catch(() => undefined);
    }
  }
}
