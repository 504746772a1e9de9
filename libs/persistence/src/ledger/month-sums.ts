import type { RowFact, Summed } from './prepared-batch.js';

interface Sums {
  readonly month: string;
  readonly partition: number;
  readonly tenant: string;
  readonly destination: string;
  delivered: number;
  dead: number;
  discarded: number;
  failedAttempts: number;
  durationMs: number;
  latencyMs: number;
}

/** What a batch adds to the monthly sums per destination. Repeats must have been left out. */
export function monthSumsOf(facts: readonly RowFact[]): Sums[] {
  const all = new Map<string, Sums>();
  for (const fact of facts) if (fact.summed) addTo(sumsFor(all, fact, fact.summed), fact.action, fact.summed);
  // In one order everywhere, so that two writers never wait for each other in a circle.
  return [...all].sort(([a], [b]) => (a < b ? -1 : 1)).map(([, sums]) => sums);
}

function sumsFor(all: Map<string, Sums>, { timestampMs, partition }: RowFact, { tenant, destination }: Summed): Sums {
  const month = monthOf(timestampMs);
  const id = `${month}\0${partition}\0${tenant}\0${destination}`;
  const known = all.get(id);
  if (known) return known;
  const zero = { delivered: 0, dead: 0, discarded: 0, failedAttempts: 0, durationMs: 0, latencyMs: 0 };
  const sums: Sums = { month, partition, tenant, destination, ...zero };
  all.set(id, sums);
  return sums;
}

let lastDay = Number.NaN;
let lastMonth = '';

/** The first day of the month, of the day that was asked for last for nothing. */
function monthOf(moment: number): string {
  const day = Math.floor(moment / 86_400_000);
  if (day !== lastDay) {
    lastDay = day;
    lastMonth = `${new Date(moment).toISOString().slice(0, 7)}-01`;
  }
  return lastMonth;
}

function addTo(sums: Sums, action: string, { outcome, durationMs, latencyMs }: Summed): void {
  if (action === 'attempted') {
    sums.failedAttempts += 1;
    return;
  }
  if (outcome === 'delivered') {
    sums.delivered += 1;
    sums.latencyMs += latencyMs;
  } else if (outcome === 'dead') sums.dead += 1;
  else if (outcome === 'discarded') sums.discarded += 1;
  sums.durationMs += durationMs;
}

/** Arrays of one value a row, for `addSums`. */
export const sumColumns = (sums: readonly Sums[]): unknown[] => [
  sums.map(({ month }) => month),
  sums.map(({ partition }) => partition),
  sums.map(({ tenant }) => tenant.replaceAll('\0', '\uFFFD')),
  sums.map(({ destination }) => destination.replaceAll('\0', '\uFFFD')),
  sums.map(({ delivered }) => delivered),
  sums.map(({ dead }) => dead),
  sums.map(({ discarded }) => discarded),
  sums.map(({ failedAttempts }) => failedAttempts),
  sums.map(({ durationMs }) => durationMs),
  sums.map(({ latencyMs }) => latencyMs),
];

const added = ['delivered', 'dead', 'discarded', 'failed_attempts', 'duration_ms', 'latency_ms'];

export const addSums = `
  INSERT INTO ledger.destination_month AS known (month, audit_partition, tenant, destination, ${added.join(', ')})
  SELECT * FROM unnest($1::date[], $2::int[], $3::text[], $4::text[], ${added.map((_, i) => `$${i + 5}::bigint[]`).join(', ')})
  ON CONFLICT (month, tenant, destination, audit_partition) DO UPDATE
  SET ${added.map((name) => `${name} = known.${name} + EXCLUDED.${name}`).join(', ')}`;
