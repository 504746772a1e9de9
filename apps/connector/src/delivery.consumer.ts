import { Controller, Inject } from '@nestjs/common';
import { deadLetterTopicOf, deliveryHeaders, retryTopicOf, topicFamilies } from '@tributary/contracts';
import type { Settlement } from '@tributary/domain';
import { type Attempt, type ConsumeOptions, Consumes, type IncomingRecord } from '@tributary/kafka';
import { ConnectorStage } from '@tributary/pipeline';
import { connectorAccess } from './access.js';
import { type ConnectorScope, SCOPE } from './tokens.js';

@Controller()
export class DeliveryConsumer {
  constructor(
    @Inject(ConnectorStage) readonly stage: ConnectorStage,
    @Inject(SCOPE) readonly scope: ConnectorScope,
  ) {}

  @Consumes<DeliveryConsumer>(
    ({ scope }) => accessOf(scope).consumes,
    ({ stage, scope }) => ({
      group: accessOf(scope).group,
      lane: laneOf,
      concurrency: scope.concurrency,
      gateScope: (record) => scope.scopes.scopeOf(record),
      gatePolicy: scope.gates,
      ...(scope.orderedRetries && { retries: retriesOf(scope) }),
      deadLetterTopic: deadLetterTopicOf(deliveryTopic(scope)),
      onDeadLetter: (record, failure) => stage.recordDeath(record, failure),
    }),
  )
  handle(record: IncomingRecord, attempt: Attempt): Promise<Settlement> {
    return this.stage.handle(record, attempt);
  }
}

const accessOf = ({ destination }: Pick<ConnectorScope, 'destination'>) => connectorAccess(destination.slug);

const deliveryTopic = ({ destination }: Pick<ConnectorScope, 'destination'>) =>
  topicFamilies.delivery(destination.slug);

// A receiver that drops repeats by our id may see the tail of a key again after a crash; any other sees its last record at most.
const retriesOf = ({ destination, onDead }: ConnectorScope): NonNullable<ConsumeOptions['retries']> => ({
  topic: retryTopicOf(deliveryTopic({ destination })),
  fence: destination.promises.idempotency === 'key' ? 'cross' : 'lane',
  onDead: destination.promises.ordering === 'none' ? 'continue' : onDead,
  takeover: { attemptMs: destination.limits.timeoutMs, appendMs: 3_000, marginMs: 2_000 },
});

// Nothing of one connection ever waits for another, though both may have the key.
const laneOf = ({ headers, key }: IncomingRecord): string =>
  `${headers[deliveryHeaders.connectionId] ?? ''} ${key?.toString('utf8') ?? ''}`;
