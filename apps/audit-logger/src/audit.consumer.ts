import { Controller, Inject } from '@nestjs/common';
import { deadLetterTopicOf, topics } from '@tributary/contracts';
import type { Failure } from '@tributary/domain';
import { ConsumesBatches, type IncomingRecord, relaxedFetchSpacing } from '@tributary/kafka';
import { LedgerStage } from '@tributary/pipeline';
import { auditLoggerAccess } from './access.js';
import { CONCURRENCY } from './tokens.js';

/** Nobody waits for a row, and one record at a time costs a fetch, a transaction and a sync of the disk each. */
const gatherBytes = 64 * 1024;

@Controller()
export class AuditConsumer {
  constructor(
    @Inject(LedgerStage) readonly stage: LedgerStage,
    @Inject(CONCURRENCY) readonly concurrency: number,
  ) {}

  // Rows are identified by offset, so their order does not matter and many go in one statement.
  @ConsumesBatches<AuditConsumer>(auditLoggerAccess.consumes, ({ concurrency }) => ({
    group: auditLoggerAccess.group,
    ordering: 'none',
    gatherBytes,
    fetchSpacing: relaxedFetchSpacing,
    concurrency,
    batches: { maxRecords: 100 },
    deadLetterTopic: deadLetterTopicOf(topics.audit),
  }))
  handle(records: readonly IncomingRecord[]): Promise<ReadonlyMap<number, Failure>> {
    return this.stage.handle(records);
  }
}
