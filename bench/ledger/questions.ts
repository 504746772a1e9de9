import type { Database } from '@tributary/persistence';

/** A question that somebody asks of the ledger, and what it is asked about. */
export interface Question {
  readonly name: string;
  readonly statement: string;
  /** Drawn anew for each time that it is asked. */
  readonly sample: string;
  /** Milliseconds at most, at the 95th percentile. */
  readonly allowedMs: number;
}

const page = 'ORDER BY recorded_at DESC, audit_partition, audit_offset LIMIT 100';
const somewhere = 'FROM ledger.audit_record TABLESAMPLE SYSTEM (0.01)';

export const questions: readonly Question[] = [
  {
    name: 'by event id',
    statement: 'SELECT * FROM ledger.fact WHERE event_id = $1 ORDER BY occurred_at',
    sample: `SELECT event_id AS a ${somewhere} WHERE event_id IS NOT NULL LIMIT 200`,
    allowedMs: 100,
  },
  {
    name: 'by delivery id',
    statement: 'SELECT * FROM ledger.fact WHERE delivery_id = $1',
    sample: `SELECT delivery_id AS a ${somewhere} WHERE delivery_id IS NOT NULL LIMIT 200`,
    allowedMs: 100,
  },
  {
    name: 'by subject (blind index)',
    statement: `SELECT * FROM ledger.fact WHERE subject_index = $1 ${page}`,
    sample: `SELECT subject_index AS a ${somewhere} WHERE subject_index IS NOT NULL LIMIT 200`,
    allowedMs: 100,
  },
  {
    name: 'by entity',
    statement: `SELECT * FROM ledger.fact WHERE entity = $1 ${page}`,
    sample: 'SELECT entity AS a FROM ledger.audit_record WHERE entity IS NOT NULL LIMIT 200',
    allowedMs: 100,
  },
  {
    name: 'by person and hour',
    statement: `SELECT * FROM ledger.fact WHERE actor = $1 AND recorded_at >= $2 AND recorded_at < $2 + interval '1 hour' ${page}`,
    sample: `SELECT actor AS a, date_trunc('minute', recorded_at) AS b FROM ledger.audit_record WHERE entity IS NOT NULL LIMIT 200`,
    allowedMs: 100,
  },
  {
    name: 'by service and hour',
    statement: `SELECT * FROM ledger.fact WHERE actor = $1 AND recorded_at >= $2 AND recorded_at < $2 + interval '1 hour' ${page}`,
    sample: `SELECT actor AS a, date_trunc('minute', recorded_at) AS b ${somewhere} LIMIT 200`,
    allowedMs: 100,
  },
  {
    name: 'by tenant and hour',
    statement: `SELECT * FROM ledger.fact WHERE tenant = $1 AND recorded_at >= $2 AND recorded_at < $2 + interval '1 hour' ${page}`,
    sample: `SELECT tenant AS a, date_trunc('minute', recorded_at) AS b ${somewhere} WHERE tenant IS NOT NULL LIMIT 200`,
    allowedMs: 100,
  },
  {
    name: 'monthly summary per destination',
    statement:
      'SELECT destination, sum(delivered), sum(dead), sum(failed_attempts) FROM ledger.monthly_summary WHERE month = $1 GROUP BY 1',
    sample: 'SELECT DISTINCT month AS a FROM ledger.destination_month',
    allowedMs: 2_000,
  },
];

export interface Answered {
  readonly name: string;
  readonly asked: number;
  readonly p50Ms: number;
  readonly p95Ms: number;
  readonly maxMs: number;
  readonly allowedMs: number;
}

const leastTimes = 20;

/** Asks one question about many things, one at a time. */
export async function ask(database: Database, question: Question): Promise<Answered> {
  const samples = await database.query<{ a: unknown; b?: unknown }>(question.sample);
  if (samples.length === 0) throw new Error(`the ledger has nothing to ask "${question.name}" about`);
  const times: number[] = [];
  for (let i = 0; i < Math.max(samples.length, leastTimes); i++) {
    const { a, b } = samples[i % samples.length] ?? {};
    const startedMs = performance.now();
    await database.query(question.statement, b === undefined ? [a] : [a, b]);
    times.push(performance.now() - startedMs);
  }
  times.sort((x, y) => x - y);
  const at = (share: number) =>
    Number((times[Math.min(times.length - 1, Math.floor(times.length * share))] ?? 0).toFixed(1));
  const { name, allowedMs } = question;
  return { name, asked: times.length, p50Ms: at(0.5), p95Ms: at(0.95), maxMs: at(1), allowedMs };
}
