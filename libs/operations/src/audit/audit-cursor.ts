import { digestOfParts } from '@tributary/domain';
import { type AuditFilter, BadAuditQuestion, isRecordTime } from './audit-filter.js';

/** The last row that was read; rows go from new to old. */
export interface AuditPosition {
  readonly recordedAtMs: number;
  readonly partition: number;
  readonly offset: string;
}

const version = 1;

/** Opaque to who gets it. It belongs to its filter: with another one it would skip or repeat rows. */
export function cursorOf({ recordedAtMs, partition, offset }: AuditPosition, filter: AuditFilter): string {
  return Buffer.from(JSON.stringify([version, digestOf(filter), recordedAtMs, partition, offset])).toString(
    'base64url',
  );
}

/** @throws BadAuditQuestion */
export function positionIn(cursor: string, filter: AuditFilter): AuditPosition {
  const [given, digest, recordedAtMs, partition, offset] = partsOf(cursor);
  const isOurs =
    given === version &&
    isRecordTime(recordedAtMs) &&
    Number.isInteger(partition) &&
    (partition as number) >= 0 &&
    (partition as number) < 2 ** 31 &&
    typeof offset === 'string' &&
    /^\d{1,18}$/.test(offset);
  if (!isOurs) throw new BadAuditQuestion('cursor is none of ours; ask without it for the first page');
  if (digest !== digestOf(filter))
    throw new BadAuditQuestion('cursor belongs to another question; keep the filters as they were');
  return { recordedAtMs, partition: partition as number, offset };
}

function partsOf(cursor: string): readonly unknown[] {
  if (cursor.length > 500) return [];
  try {
    const parts: unknown = JSON.parse(Buffer.from(cursor, 'base64url').toString('utf8'));
    return Array.isArray(parts) ? parts : [];
  } catch {
    return []; // It comes from outside: who sends it is told.
  }
}

const digestOf = (filter: AuditFilter): string =>
  digestOfParts(
    Object.entries(filter)
      .sort(([a], [b]) => (a < b ? -1 : 1))
      .flatMap(([name, value]) => [name, String(value)]),
  ).slice(0, 16);
