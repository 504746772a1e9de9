import { Controller, Inject } from '@nestjs/common';
import { deadLetterTopicOf, deliveryHeaders, retryTopicOf, topicFamilies } from '@tributary/contracts';
import type { Settlement } from '@tributary/domain';
import { type Attempt, Consumes, type IncomingRecord } from '@tributary/kafka';
import { ConnectorStage } from '@tributary/pipeline';
import { type ConnectorScope, SCOPE } from './tokens.js';

@Controller()
export class DeliveryConsumer {
  constructor(
    @Inject(ConnectorStage) readonly stage: ConnectorStage,
    @Inject(SCOPE) readonly scope: ConnectorScope,
  ) {}

  @Consumes<DeliveryConsumer>(
    ({ scope }) => [deliveryTopic(scope), retryTopicOf(deliveryTopic(scope))],
    ({ stage, scope }) => ({
      group: `connector-${scope.destination.slug}`,
      lane: laneOf,
      concurrency: scope.concurrency,
      deadLetterTopic: deadLetterTopicOf(deliveryTopic(scope)),
      onDeadLetter: (record, failure) => stage.recordDeath(record, failure),
    }),
  )
  handle(record: IncomingRecord, attempt: Attempt): Promise<Settlement> {
    return this.stage.handle(record, attempt);
  }
}

const deliveryTopic = ({ destination }: ConnectorScope) => topicFamilies.delivery(destination.slug);

// Nothing of one connection ever waits for another, though both may have the key.
const laneOf = ({ headers, key }: IncomingRecord): string =>
  `${headers[deliveryHeaders.connectionId] ?? ''} ${key?.toString('utf8') ?? ''}`;
