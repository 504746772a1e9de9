import { Controller, Inject } from '@nestjs/common';
import { deadLetterTopicOf } from '@tributary/contracts';
import type { Settlement } from '@tributary/domain';
import { Consumes, type IncomingRecord, relaxedFetchSpacing } from '@tributary/kafka';
import { RouterStage } from '@tributary/pipeline';
import { eventTopics, routerAccess } from './access.js';
import { CONCURRENCY } from './tokens.js';

const { group } = routerAccess;

/** Canonical events of every domain, and those that an operator sent through again. */
@Controller()
export class EventConsumer {
  constructor(
    @Inject(RouterStage) readonly stage: RouterStage,
    @Inject(CONCURRENCY) readonly concurrency: number,
  ) {}

  @Consumes<EventConsumer>(routerAccess.consumes, ({ stage, concurrency }) => ({
    group,
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
  const origin = eventTopics.find(({ name }) => topic === name || topic === `${name}.${group}.retry`);
  if (!origin) throw new TypeError(`${topic} is no events topic`);
  return deadLetterTopicOf(origin, group);
}
