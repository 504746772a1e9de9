// What happened in an export of the ledger, by SQL over its Parquet files.
//   npx node examples/analyst/query-parquet.mjs <folder>
import { globSync } from 'node:fs';
import { join } from 'node:path';
import { DuckDBInstance } from '@duckdb/node-api';

const [folder] = process.argv.slice(2);
if (!folder) {
  console.error('usage: node query-parquet.mjs <folder of "tributary audit export --format parquet">');
  process.exit(2);
}

if (globSync('rows-*.parquet', { cwd: folder }).length === 0) {
  console.error(`${folder} has no rows-*.parquet: name the folder of an export with --format parquet`);
  process.exit(2);
}

const instance = await DuckDBInstance.create();
const connection = await instance.connect();

async function show(title, query) {
  const rows = (await connection.runAndReadAll(query)).getRowObjectsJson();
  console.log(`\n${title}`);
  console.table(rows);
}

// All partitions are one table. A fact may have been told twice; its audit id says so.
const files = join(folder, 'rows-*.parquet').replaceAll("'", "''");
await connection.run(`
  CREATE VIEW fact AS
  SELECT * FROM read_parquet('${files}')
  QUALIFY row_number() OVER (PARTITION BY audit_id ORDER BY audit_partition, audit_offset) = 1`);

await show(
  'What every stage did',
  'SELECT stage, action, outcome, count(*)::int AS facts FROM fact GROUP BY ALL ORDER BY stage, facts DESC',
);

await show(
  'Deliveries by destination and day',
  `SELECT destination, date_trunc('day', occurred_at)::date AS day,
          count(*) FILTER (outcome = 'delivered')::int AS delivered,
          count(*) FILTER (outcome = 'dead')::int AS dead,
          round(avg(attempt), 2) AS attempts,
          round(quantile_cont(duration_ms, 0.99)) AS p99_ms
   FROM fact WHERE action = 'settled' GROUP BY ALL ORDER BY day, destination`,
);

await show(
  'Why attempts failed',
  `SELECT destination, error_class, error_code, count(*)::int AS attempts FROM fact
   WHERE error_class IS NOT NULL GROUP BY ALL ORDER BY attempts DESC LIMIT 10`,
);

await show(
  'What people did',
  "SELECT occurred_at, actor, action, entity FROM fact WHERE stage = 'operator' ORDER BY occurred_at DESC LIMIT 10",
);

connection.closeSync();
instance.closeSync();
