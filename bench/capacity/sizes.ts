import { existsSync, readdirSync, statSync } from 'node:fs';
import { join } from 'node:path';
import type { Database } from '@tributary/persistence';

export interface Sizes {
  /** Bytes of records, by topic, over all partitions; indexes are left out, Kafka reserves them in advance. */
  readonly topics: ReadonlyMap<string, number>;
  /** Bytes with indexes, by table; partitions count as the table that they are of. */
  readonly tables: ReadonlyMap<string, number>;
}

/** What lies on disk now. */
export async function sizesOf(kafkaFolder: string, database: Database): Promise<Sizes> {
  return { topics: topicBytes(kafkaFolder), tables: await tableBytes(database) };
}

function topicBytes(folder: string): Map<string, number> {
  if (!existsSync(folder)) throw new Error(`${folder} is not there: the data of the local Kafka cannot be measured`);
  const bytes = new Map<string, number>();
  for (const entry of readdirSync(folder)) {
    const topic = /^(.+)-\d+$/.exec(entry)?.[1];
    if (topic === undefined) continue;
    const logs = readdirSync(join(folder, entry)).filter((name) => name.endsWith('.log'));
    const sum = logs.reduce((total, name) => total + statSync(join(folder, entry, name)).size, 0);
    bytes.set(topic, (bytes.get(topic) ?? 0) + sum);
  }
  return bytes;
}

async function tableBytes(database: Database): Promise<Map<string, number>> {
  const rows = await database.query<{ name: string; bytes: string }>(`
    SELECT n.nspname || '.' || coalesce(p.relname, c.relname) AS name, sum(pg_total_relation_size(c.oid))::text AS bytes
    FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
    LEFT JOIN pg_inherits i ON i.inhrelid = c.oid LEFT JOIN pg_class p ON p.oid = i.inhparent
    WHERE c.relkind = 'r' AND n.nspname NOT IN ('pg_catalog', 'information_schema') GROUP BY 1`);
  return new Map(rows.map(({ name, bytes }) => [name, Number(bytes)]));
}

/** What grew, of each thousand events, largest first. */
export function grownBy(
  after: ReadonlyMap<string, number>,
  before: ReadonlyMap<string, number>,
  events: number,
): Record<string, number> {
  const grown = [...after]
    .map(([name, bytes]) => [name, Math.round(((bytes - (before.get(name) ?? 0)) / events) * 1_000)] as const)
    .filter(([, bytes]) => bytes > 0)
    .sort(([, a], [, b]) => b - a);
  return Object.fromEntries(grown);
}
