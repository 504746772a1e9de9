import kafkajs from 'kafkajs';
import { describe, expect, it } from 'vitest';
import { refusalHint } from './kafka-errors.js';
import { errorFields } from './logger.js';

const answered = (type: string) =>
  new kafkajs.KafkaJSProtocolError({ type, code: 1, retriable: false, name: type } as never);

describe('an error of Kafka', () => {
  it.each([
    ['TOPIC_AUTHORIZATION_FAILED', /no right to the topic.*KAFKA_USERNAME/],
    ['GROUP_AUTHORIZATION_FAILED', /no right to the consumer group/],
    ['CLUSTER_AUTHORIZATION_FAILED', /no right to the cluster/],
    ['SASL_AUTHENTICATION_FAILED', /KAFKA_PASSWORD/],
  ])('of type %s says what to compare', (type, hint) => {
    expect(refusalHint(answered(type))).toMatch(hint);
    expect(errorFields(new Error('wrapped', { cause: answered(type) })).hint).toMatch(hint);
  });

  it.each([answered('NOT_LEADER_FOR_PARTITION'), new Error('x'), 'text', undefined])(
    'that is no refusal: none',
    (error) => {
      expect(refusalHint(error)).toBeUndefined();
      expect(errorFields(error)).not.toHaveProperty('hint');
    },
  );
});
