import type { Suspension } from '@tributary/contracts';

/** The suspension that holds now: one that ends by itself is over at its time, whether or not anybody took its row away. */
export function activeSuspension(row: Suspension | undefined, nowMs: number): Suspension | undefined {
  return row && (row.until === null || row.until > nowMs) ? row : undefined;
}
