import { Controller, Inject } from '@nestjs/common';
import { deadLetterTopicOf } from '@tributary/contracts';
import type { Settlement } from '@tributary/domain';
import { Consumes, type IncomingRecord, relaxedFetchSpacing } from '@tributary/kafka';
import { NormalizerStage } from '@tributary/pipeline';
import { normalizerAccess, rawTopics } from './access.js';
import { CONCURRENCY } from './tokens.js';

/** Raw records of every source, and those that an operator sent through again. */
@Controller()
export class RawConsumer {
  constructor(
    @Inject(NormalizerStage) readonly stage: NormalizerStage,
    @Inject(CONCURRENCY) readonly concurrency: number,
  ) {}

  @Consumes<RawConsumer>(normalizerAccess.consumes, ({ stage, concurrency }) => ({
    group: normalizerAccess.group,
    fetchSpacing: relaxedFetchSpacing,
    concurrency,
    deadLetterTopic: deadLetterTopicFor,
    onDeadLetter: (record, failure) => stage.recordDeath(record, failure),
  }))
  handle(record: IncomingRecord): Promise<Settlement> {
    return this.stage.handle(record);
  }
}

function deadLetterTopicFor({ topic }: IncomingRecord) {
  const origin = rawTopics.find(({ name }) => topic === name || topic === `${name}.retry`);
  if (!origin) throw new TypeError(`${topic} is no raw topic`);
  return deadLetterTopicOf(origin);
}
