import type { LedgerEntry } from './ledger-row.js';

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
export function monthSumsOf(entries: readonly LedgerEntry[]): Sums[] {
  const all = new Map<string, Sums>();
  for (const entry of entries) {
    const { action, destination } = entry.record;
    if (destination === null || (action !== 'settled' && action !== 'attempted')) continue;
    addTo(sumsFor(all, entry, destination), entry);
  }
  // In one order everywhere, so that two writers never wait for each other in a circle.
  return [...all].sort(([a], [b]) => (a < b ? -1 : 1)).map(([, sums]) => sums);
}

function sumsFor(all: Map<string, Sums>, { timestampMs, partition, record }: LedgerEntry, destination: string): Sums {
  const month = `${new Date(timestampMs).toISOString().slice(0, 7)}-01`;
  const tenant = record.tenant ?? '';
  const id = `${month}\0${partition}\0${tenant}\0${destination}`;
  const known = all.get(id);
  if (known) return known;
  const zero = { delivered: 0, dead: 0, discarded: 0, failedAttempts: 0, durationMs: 0, latencyMs: 0 };
  const sums: Sums = { month, partition, tenant, destination, ...zero };
  all.set(id, sums);
  return sums;
}

function addTo(sums: Sums, { record }: LedgerEntry): void {
  if (record.action === 'attempted') {
    sums.failedAttempts += 1;
    return;
  }
  if (record.outcome === 'delivered') {
    sums.delivered += 1;
    const acceptedAtMs = Number(record.details.acceptedAtMs ?? record.occurredAt);
    if (Number.isFinite(acceptedAtMs)) sums.latencyMs += Math.max(0, record.occurredAt - acceptedAtMs);
  } else if (record.outcome === 'dead') sums.dead += 1;
  else if (record.outcome === 'discarded') sums.discarded += 1;
  sums.durationMs += record.durationMs;
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
