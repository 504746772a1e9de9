import type { Database } from '@tributary/persistence';
import { renderTable } from '../cli/table.js';
import type { DemoResult } from './demo.js';
import { type RunningService, residentMiB } from './services.js';

interface DestinationFigures {
  readonly destination: string;
  readonly delivered: number;
  readonly attempts: number;
  readonly dead: number;
  readonly p50: number | null;
  readonly p99: number | null;
}

/** From the ledger: how many attempts it took, and how long from the webhook to the settlement. */
async function destinationFigures(database: Database): Promise<DestinationFigures[]> {
  return database.query<DestinationFigures & Record<string, unknown>>(`
    WITH fact AS (SELECT * FROM ledger.fact WHERE stage = 'connector'),
    latency AS (
      SELECT destination, extract(epoch FROM occurred_at) * 1000 - (details ->> 'acceptedAtMs')::numeric AS ms
      FROM fact WHERE action = 'settled' AND outcome = 'delivered')
    SELECT destination,
      count(*) FILTER (WHERE action = 'settled' AND outcome = 'delivered')::int AS delivered,
      count(*) FILTER (WHERE action = 'attempted' OR outcome = 'delivered')::int AS attempts,
      count(*) FILTER (WHERE action = 'settled' AND outcome = 'dead')::int AS dead,
      (SELECT round(percentile_cont(0.5) WITHIN GROUP (ORDER BY ms)::numeric)::int FROM latency l WHERE l.destination = fact.destination) AS p50,
      (SELECT round(percentile_cont(0.99) WITHIN GROUP (ORDER BY ms)::numeric)::int FROM latency l WHERE l.destination = fact.destination) AS p99
    FROM fact GROUP BY destination ORDER BY destination`);
}

/** The tables that the demo prints. */
export async function demoTables(result: DemoResult, database: Database): Promise<string> {
  const sums = new Map(result.proof.sources.map((row) => [row.source, row]));
  const sources = [...result.sent].map(([source, reports]) => [
    source,
    reports.length,
    sums.get(source)?.accepted ?? 0,
    sums.get(source)?.duplicate ?? 0,
    reports.filter(({ status }) => status >= 400 && status < 500).length,
    sums.get(source)?.dead ?? 0,
  ]);
  const destinations = (await destinationFigures(database)).map((row) => [
    row.destination,
    row.delivered,
    row.attempts,
    row.dead,
    row.p50 ?? '-',
    row.p99 ?? '-',
  ]);
  return [
    renderTable(['source', 'sent', 'accepted', 'duplicates dropped', 'rejected', 'dead'], sources),
    renderTable(['destination', 'delivered', 'attempts', 'dead', 'p50 ms', 'p99 ms'], destinations),
  ].join('\n\n');
}

/** Resident memory of each service, MiB. */
export async function memoryOf(services: readonly RunningService[]): Promise<Map<string, number | undefined>> {
  const entries = await Promise.all(
    services.map(async (service) => [service.name, await residentMiB(service)] as const),
  );
  return new Map(entries);
}

export function memoryTable(idle: Map<string, number | undefined>, after: Map<string, number | undefined>): string {
  const rows = [...idle].map(([name, mib]) => [name, mib ?? '-', after.get(name) ?? '-']);
  return renderTable(['service', 'idle MiB', 'after the demo MiB'], rows);
}
