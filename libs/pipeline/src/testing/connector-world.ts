import type { HttpClient, OperationDefinition } from '@tributary/connector-kit';
import { topicFamilies } from '@tributary/contracts';
import type { UnknownOutcomePolicy } from '@tributary/domain';
import { aDestination, aPostOperation } from '../../../connector-kit/src/testing/a-destination.js';
import type { ConnectorPorts } from '../connector-stage.js';
import { incoming, type MemoryCodec } from './world.js';

/** A destination that does not drop repeats, so that it matters what was sent. */
export const aForgetfulDestination = (
  unknownOutcome: Exclude<UnknownOutcomePolicy, 'retry'>,
  send: OperationDefinition['send'],
) =>
  aDestination({
    promises: { ordering: 'per-key', idempotency: 'none' },
    unknownOutcome,
    operations: { post: aPostOperation({ send }) },
  });

const silent = { debug() {}, info() {}, warn() {}, error() {}, fatal() {}, child: () => silent } as never;

/** What no test of the stage looks at. */
export const quietPorts: Pick<ConnectorPorts, 'http' | 'actor' | 'logger' | 'onAttempt'> = {
  http: {} as HttpClient,
  actor: 'connector-test/1',
  logger: silent,
  onAttempt: () => undefined,
};

export const deliveryHeaders = {
  ce_id: 'e1',
  ce_source: '/acme/in',
  ce_type: 'people.employee.onboarded',
  ce_tenant: 'acme',
  'x-delivery-id': 'd1',
  'x-subscription-id': 's1',
  'x-connection-id': 'out',
  'x-operation': 'post',
};

/** Makes the delivery of an event of somebody else's, as the router writes it. */
export async function deliveries(codec: MemoryCodec) {
  const data = { type: 'people.employee.onboarded', data: '{}', occurredAt: null };
  const value = await codec.encode('', 'tributary.external.ExternalEvent', data);
  return (over: Parameters<typeof incoming>[0] = {}) =>
    incoming({ topic: topicFamilies.delivery('test').name, rawHeaders: deliveryHeaders, value, ...over });
}
