import { type KeyObject, randomBytes } from 'node:crypto';
import type { Database } from '../database.js';
import { keyBytes, secretKey } from './aes-gcm.js';
import type { LedgerKeys } from './ledger-keys.js';

/** The key that new rows about a data subject are encrypted under. */
export interface DataKey {
  readonly index: Buffer;
  readonly generation: number;
  readonly key: KeyObject;
  /** What was recorded up to here was erased, and is not written again; -Infinity when nothing was. */
  readonly erasedUntilMs: number;
}

export interface NamedSubject {
  readonly tenant: string;
  /** As `nameOf` makes it. */
  readonly name: string;
}

export interface DataKeysOptions {
  readonly database: Pick<Database, 'query'>;
  readonly keys: LedgerKeys;
  readonly nowMs: () => number;
}

interface KeyRow {
  readonly subject_index: Buffer;
  readonly generation: number;
  readonly wrapped: Buffer | null;
  readonly kek_id: string;
  readonly erased_at: Date | null;
}

interface Cached {
  readonly dataKey: DataKey;
  readonly untilMs: number;
}

/** Twice as many at most. */
const leastCached = 20_000;
/** An erased key is gone from a writer's memory this much later. */
export const dataKeyCachedForMs = 60_000;

const rewrappedAtOnce = 1_000;
const columns = 'subject_index, generation, wrapped, kek_id, erased_at';

/** Data keys by data subject, in a database of their own: a copy of the ledger alone cannot be decrypted. */
export class DataKeys {
  private cache = new Map<string, Cached>();
  private older = new Map<string, Cached>();

  constructor(private readonly options: DataKeysOptions) {}

  /** Keys to write with, in the order asked for; those that are missing are made. One or two questions, however many. */
  async forWriting(subjects: readonly NamedSubject[]): Promise<DataKey[]> {
    const nowMs = this.options.nowMs();
    const missing = new Map<string, NamedSubject>();
    const known = subjects.map((subject) => {
      const id = cacheId(subject);
      const cached = this.cache.get(id) ?? this.older.get(id);
      if (cached && cached.untilMs > nowMs) return cached.dataKey;
      missing.set(id, subject);
      return undefined;
    });
    if (missing.size === 0) return known as DataKey[];
    const found = await this.findOrMake(missing);
    for (const [id, dataKey] of found) this.remember(id, dataKey, nowMs);
    return known.map((dataKey, i) => dataKey ?? (found.get(cacheId(subjects[i] as NamedSubject)) as DataKey));
  }

  private remember(id: string, dataKey: DataKey, nowMs: number): void {
    this.cache.set(id, { dataKey, untilMs: nowMs + dataKeyCachedForMs });
    if (this.cache.size < leastCached) return;
    this.older = this.cache;
    this.cache = new Map();
  }

  private async findOrMake(missing: ReadonlyMap<string, NamedSubject>): Promise<Map<string, DataKey>> {
    const wanted = [...missing].map(([id, { tenant, name }]) => ({
      id,
      tenant,
      index: this.options.keys.indexOf(tenant, name),
    }));
    const histories = await this.historiesOf(wanted.map(({ index }) => index));
    const found = new Map<string, DataKey>();
    const toMake: NewKey[] = [];
    for (const { id, tenant, index } of wanted) {
      const history = histories.get(text(index)) ?? [];
      const newest = history.at(-1);
      const dataKey = newest && this.usable(newest, history);
      if (dataKey) found.set(id, dataKey);
      else toMake.push({ id, tenant, index, generation: (newest?.generation ?? 0) + 1, history });
    }
    for (const [id, dataKey] of await this.make(toMake)) found.set(id, dataKey);
    return found;
  }

  private async historiesOf(indexes: readonly Buffer[]): Promise<Map<string, KeyRow[]>> {
    const rows = await this.options.database.query<KeyRow & Record<string, unknown>>(
      `SELECT ${columns} FROM data_key WHERE subject_index = ANY($1::bytea[]) ORDER BY subject_index, generation`,
      [indexes],
      'data-keys-find',
    );
    return Map.groupBy(rows, ({ subject_index }) => text(subject_index)) as Map<string, KeyRow[]>;
  }

  private usable(row: KeyRow, history: readonly KeyRow[]): DataKey | undefined {
    const { subject_index: index, generation, wrapped, kek_id: kekId } = row;
    if (!wrapped) return undefined;
    const key = this.options.keys.unwrap({ kekId, wrapped }, contextOf(index, generation));
    return { index, generation, key, erasedUntilMs: erasedUntil(history) };
  }

  private async make(wanted: readonly NewKey[]): Promise<Map<string, DataKey>> {
    if (wanted.length === 0) return new Map();
    const made = wanted.map(({ index, generation }) =>
      this.options.keys.wrap(randomBytes(keyBytes), contextOf(index, generation)),
    );
    // Of two writers that make the key of the same subject at once, the one that comes second takes the key of the first.
    const rows = await this.options.database.query<KeyRow & Record<string, unknown>>(
      `INSERT INTO data_key (subject_index, generation, tenant, wrapped, kek_id)
       SELECT * FROM unnest($1::bytea[], $2::int[], $3::text[], $4::bytea[], $5::text[]) ORDER BY 1
       ON CONFLICT (subject_index, generation) DO UPDATE SET tenant = data_key.tenant
       RETURNING ${columns}`,
      [
        wanted.map(({ index }) => index),
        wanted.map(({ generation }) => generation),
        wanted.map(({ tenant }) => tenant),
        made.map(({ wrapped }) => wrapped),
        made.map(({ kekId }) => kekId),
      ],
      'data-keys-make',
    );
    const byIndex = new Map(rows.map((row) => [text(row.subject_index), row]));
    const keys = wanted.map(({ id, index, history }) => {
      const row = byIndex.get(text(index)) as KeyRow;
      // Erased between the two questions: what is written now is lost with it, as it should be.
      const key = this.usable(row, history) ?? {
        index,
        generation: row.generation,
        key: secretKey(randomBytes(keyBytes)),
        erasedUntilMs: erasedUntil([...history, row]),
      };
      return [id, key] as const;
    });
    return new Map(keys);
  }

  /** Keys to read with, by `readingId`; what was erased is missing. */
  async forReading(refs: readonly DataKeyRef[]): Promise<Map<string, KeyObject>> {
    const indexes = new Map(refs.map(({ index }) => [text(index), index]));
    const keys = new Map<string, KeyObject>();
    for (const history of (await this.historiesOf([...indexes.values()])).values()) {
      for (const row of history) {
        const usable = this.usable(row, history);
        if (usable) keys.set(readingId(usable), usable.key);
      }
    }
    return keys;
  }

  /**
   * Deletes every key of a data subject for good, and remembers when: records from before that are still on their way
   * are written without what is personal in them. @returns how many keys there were.
   */
  async erase(tenant: string, index: Buffer): Promise<number> {
    this.cache.clear();
    this.older.clear();
    const { database } = this.options;
    const erased = await database.query(
      `UPDATE data_key SET wrapped = NULL, erased_at = now()
       WHERE subject_index = $1 AND wrapped IS NOT NULL RETURNING generation`,
      [index],
    );
    if (erased.length === 0) {
      await database.query(
        `INSERT INTO data_key (subject_index, generation, tenant, kek_id, erased_at)
         SELECT $1, coalesce(max(generation), 0) + 1, $2, '', now() FROM data_key WHERE subject_index = $1`,
        [index, tenant],
      );
    }
    return erased.length;
  }

  /** Deletes the keys of these data subjects, where there are any. @returns how many there were. */
  async eraseExisting(indexes: readonly Buffer[]): Promise<number> {
    this.cache.clear();
    this.older.clear();
    const rows = await this.options.database.query(
      `UPDATE data_key SET wrapped = NULL, erased_at = now()
       WHERE subject_index = ANY($1::bytea[]) AND wrapped IS NOT NULL RETURNING 1`,
      [indexes],
    );
    return rows.length;
  }

  /** Wraps keys under the newest key that are wrapped under older ones, which may go afterwards. @returns how many. */
  async rewrap(onProgress: (done: number) => void): Promise<number> {
    const { database, keys } = this.options;
    for (let done = 0; ; ) {
      const rows = await database.query<KeyRow & Record<string, unknown>>(
        `SELECT ${columns} FROM data_key WHERE wrapped IS NOT NULL AND kek_id <> $1 LIMIT ${rewrappedAtOnce}`,
        [keys.newest],
      );
      if (rows.length === 0) return done;
      const wrapped = rows.map(({ subject_index: index, generation, wrapped: old, kek_id: kekId }) => {
        const context = contextOf(index, generation);
        return keys.wrap(keys.unwrap({ kekId, wrapped: old as Buffer }, context).export(), context).wrapped;
      });
      // Erased meanwhile: it must not come back.
      await database.query(
        `UPDATE data_key SET wrapped = w.wrapped, kek_id = $4
         FROM unnest($1::bytea[], $2::int[], $3::bytea[]) AS w (subject_index, generation, wrapped)
         WHERE data_key.subject_index = w.subject_index AND data_key.generation = w.generation AND data_key.wrapped IS NOT NULL`,
        [rows.map((row) => row.subject_index), rows.map(({ generation }) => generation), wrapped, keys.newest],
      );
      done += rows.length;
      onProgress(done);
    }
  }

  /** How many keys of a data subject are left, and how many were erased. */
  async count(index: Buffer): Promise<{ readonly held: number; readonly erased: number }> {
    const history = (await this.historiesOf([index])).get(text(index)) ?? [];
    const held = history.filter(({ wrapped }) => wrapped !== null).length;
    return { held, erased: history.length - held };
  }
}

export interface DataKeyRef {
  readonly index: Buffer;
  readonly generation: number;
}

interface NewKey extends DataKeyRef {
  readonly id: string;
  readonly tenant: string;
  readonly history: readonly KeyRow[];
}

export const readingId = ({ index, generation }: DataKeyRef): string => `${text(index)}/${generation}`;

const text = (index: Buffer): string => index.toString('latin1');
const cacheId = ({ tenant, name }: NamedSubject): string => `${tenant}\0${name}`;

const erasedUntil = (history: readonly KeyRow[]): number =>
  Math.max(Number.NEGATIVE_INFINITY, ...history.flatMap(({ erased_at }) => (erased_at ? [erased_at.getTime()] : [])));

function contextOf(index: Buffer, generation: number): Buffer {
  const context = Buffer.alloc(index.length + 4);
  index.copy(context);
  context.writeUInt32BE(generation, index.length);
  return context;
}
