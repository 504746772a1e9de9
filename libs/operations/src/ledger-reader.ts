import { originHeaders } from '@tributary/contracts';
import { settlementIds } from '@tributary/domain';
import type { Database, PersonalReader, PersonalReading, SealedRow } from '@tributary/persistence';
import { storyQuery } from './audit/story-query.js';
import { chainEndingIn } from './consumer-groups.js';
import type { Redriven, RedriveOutcome } from './dead-letter-job.js';

/** One fact as the ledger has it, in the order of the story. */
export interface StoryLine {
  readonly occurredAt: Date;
  readonly stage: string;
  readonly action: string;
  readonly outcome: string;
  readonly attempt: number;
  readonly connectionId: string | null;
  readonly destination: string | null;
  readonly deliveryId: string | null;
  readonly eventSource: string | null;
  readonly eventId: string | null;
  readonly origin: string | null;
  /** Whether what is personal in the record could be read; `locked`: without the ledger's keys. */
  readonly personal: PersonalReading['state'] | 'locked';
  readonly subject: string | null;
  readonly reason: string | null;
  readonly receipt: string | null;
  readonly durationMs: number;
  readonly traceId: string | null;
}

/** Questions about the ledger that operators ask. */
export class LedgerReader {
  /** @param personal absent: what is personal stays locked. */
  constructor(
    private readonly database: Pick<Database, 'query'>,
    private readonly personal?: Pick<PersonalReader, 'open'>,
  ) {}

  /** Everything known about an event, by its id or the id of one of its deliveries. */
  async story(id: string, atMost = 500): Promise<StoryLine[]> {
    const rows = await this.database.query<SealedRow & Record<string, unknown>>(storyQuery, [id, atMost]);
    const readings = await this.personal?.open(rows);
    return rows.map((row, i) => storyLine(row, readings?.[i]));
  }

  /** How redriven records ended, by the id of their dead letter; those that are not settled are missing. */
  async redriveOutcomes(redriven: readonly Redriven[]): Promise<Map<string, RedriveOutcome>> {
    const byAuditId = new Map(
      redriven.flatMap((one) => settlementIdsOf(one).map((auditId) => [auditId, one] as const)),
    );
    const origins = redriven.map(({ letter }) => letter.record.headers);
    const rows = await this.database.query<
      SealedRow & { audit_id: string; outcome: string; error_code: string | null }
    >(
      `SELECT audit_id, outcome, error_code, subject_index, personal FROM ledger.audit_record
       JOIN unnest($1::text[], $2::int[], $3::bigint[]) AS origin (origin_topic, origin_partition, origin_offset)
         USING (origin_topic, origin_partition, origin_offset)
       WHERE audit_id = ANY($4::text[])`,
      [
        origins.map((headers) => headers[originHeaders.topic]),
        origins.map((headers) => headers[originHeaders.partition]),
        origins.map((headers) => headers[originHeaders.offset]),
        [...byAuditId.keys()],
      ],
    );
    const readings = await this.personal?.open(rows);
    return new Map(
      rows.map(({ audit_id, outcome, error_code }, i) => {
        const reading = readings?.[i];
        const reason = (reading?.state === 'open' && reading.fields.reason) || (error_code ?? '');
        return [byAuditId.get(audit_id)?.letter.id ?? '', { outcome, reason }];
      }),
    );
  }

  /** Next offset that the ledger will take, by audit partition. */
  async positions(): Promise<Map<number, number>> {
    const rows = await this.database.query<{ audit_partition: number; next_offset: string }>(
      'SELECT audit_partition, next_offset::text FROM ledger.position',
    );
    return new Map(rows.map((row) => [row.audit_partition, Number(row.next_offset)]));
  }
}

function storyLine(row: Record<string, unknown>, reading: PersonalReading | undefined): StoryLine {
  const fields = reading?.state === 'open' ? reading.fields : undefined;
  const origin = row.origin_topic === null ? null : `${row.origin_topic}/${row.origin_partition}/${row.origin_offset}`;
  return {
    occurredAt: row.occurred_at as Date,
    stage: String(row.stage),
    action: String(row.action),
    outcome: String(row.outcome),
    attempt: Number(row.attempt),
    connectionId: row.connection_id as string | null,
    destination: row.destination as string | null,
    deliveryId: row.delivery_id as string | null,
    eventSource: row.event_source as string | null,
    eventId: row.event_id as string | null,
    origin,
    personal: reading?.state ?? (row.subject_index === null ? 'none' : 'locked'),
    subject: fields?.subject ?? null,
    reason: fields?.reason ?? null,
    receipt: fields?.receipt ?? null,
    durationMs: Number(row.duration_ms),
    traceId: row.trace_id as string | null,
  };
}

/** Audit ids that a redriven record can end in. */
function settlementIdsOf({ letter, redriveId }: Redriven): string[] {
  const { headers, topic } = letter.record;
  const stage = chainEndingIn(topic)?.stage;
  if (stage === undefined || stage === 'audit-logger') return [];
  const origin = {
    topic: headers[originHeaders.topic] ?? '',
    partition: Number(headers[originHeaders.partition]),
    offset: BigInt(headers[originHeaders.offset] ?? '-1'),
  };
  return settlementIds(stage, origin, redriveId);
}
