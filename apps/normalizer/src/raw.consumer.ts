import { Controller, Inject } from '@nestjs/common';
import { deadLetterTopicOf, retryTopicOf, topicFamilies } from '@tributary/contracts';
import type { Settlement } from '@tributary/domain';
import { Consumes, type IncomingRecord, relaxedFetchSpacing } from '@tributary/kafka';
import { NormalizerStage } from '@tributary/pipeline';
import { sourceSlugs } from '@tributary/registry/topics';
import { CONCURRENCY } from './tokens.js';

const rawTopics = () => sourceSlugs.map(topicFamilies.raw);

/** Raw records of every source, and those that an operator sent through again. */
@Controller()
export class RawConsumer {
  constructor(
    @Inject(NormalizerStage) readonly stage: NormalizerStage,
    @Inject(CONCURRENCY) readonly concurrency: number,
  ) {}

  @Consumes<RawConsumer>(
    () => rawTopics().flatMap((topic) => [topic, retryTopicOf(topic)]),
    ({ stage, concurrency }) => ({
      group: 'normalizer',
      fetchSpacing: relaxedFetchSpacing,
      concurrency,
      deadLetterTopic: deadLetterTopicFor,
      onDeadLetter: (record, failure) => stage.recordDeath(record, failure),
    }),
  )
  handle(record: IncomingRecord): Promise<Settlement> {
    return this.stage.handle(record);
  }
}

function deadLetterTopicFor({ topic }: IncomingRecord) {
  const origin = rawTopics().find(({ name }) => topic === name || topic === `${name}.retry`);
  if (!origin) throw new TypeError(`${topic} is no raw topic`);
  return deadLetterTopicOf(origin);
}
