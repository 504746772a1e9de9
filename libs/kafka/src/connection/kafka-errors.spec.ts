import { createRequire } from 'node:module';
import kafkajs from 'kafkajs';
import { describe, expect, it } from 'vitest';
import { isPassingCrash, refusalHint } from './kafka-errors.js';
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

interface Authenticator {
  authenticate(): Promise<void>;
}
type AuthenticatorFactory = (sasl: object) => (parts: object) => Authenticator;

const require = createRequire(import.meta.url);
const scramFactory = require('kafkajs/src/broker/saslAuthenticator/scram512') as AuthenticatorFactory;

describe('a crash of the consumer', () => {
  it('passes when the broker went away during the login, which kafkajs takes for a refusal', async () => {
    const closed = () => Promise.reject(new kafkajs.KafkaJSConnectionError('Closed connection', {} as never));
    const logger = { debug: () => undefined, error: () => undefined };
    const login = scramFactory({ username: 'u', password: 'p' })({
      host: 'kafka',
      port: 1,
      logger,
      saslAuthenticate: closed,
    });
    const error = await login.authenticate().then(
      () => undefined,
      (reason: Error) => reason,
    );
    expect(error).toBeInstanceOf(kafkajs.KafkaJSNonRetriableError);
    expect(isPassingCrash(error)).toBe(true);
    expect(isPassingCrash(new Error('wrapped', { cause: error }))).toBe(true);
  });

  it('passes while nobody coordinates the group', () => {
    expect(isPassingCrash(Object.assign(new Error('none'), { name: 'KafkaJSGroupCoordinatorNotFound' }))).toBe(true);
  });

  it.each([answered('GROUP_AUTHORIZATION_FAILED'), new TypeError('x'), undefined])(
    'that has another reason does not',
    (error) => {
      expect(isPassingCrash(error)).toBe(false);
    },
  );
});
