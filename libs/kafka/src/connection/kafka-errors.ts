/** The parts of kafkajs' errors by which we classify: by value, never by words in a message. */
interface KafkaJsError extends Error {
  readonly type?: string;
  readonly retriable?: boolean;
}

/** Error, then what caused it: kafkajs wraps an error once for each layer of retries. */
function* chainOf(error: unknown): Generator<KafkaJsError> {
  for (let at = error, depth = 0; at instanceof Error && depth < 10; at = at.cause, depth++) yield at as KafkaJsError;
}

/** Kafka's name of the broker's answer, such as `UNKNOWN_TOPIC_OR_PARTITION`; undefined when no broker answered. */
export function protocolErrorType(error: unknown): string | undefined {
  for (const link of chainOf(error)) if (typeof link.type === 'string') return link.type;
  return undefined;
}

const loginFailed = 'KafkaJSSASLAuthenticationError';

function hasName(error: unknown, name: string): boolean {
  for (const link of chainOf(error)) if (link.name === name) return true;
  return false;
}

export const isRequestTimeout = (error: unknown): boolean => hasName(error, 'KafkaJSRequestTimeoutError');

export const isUnknownTopic = (error: unknown): boolean => protocolErrorType(error) === 'UNKNOWN_TOPIC_OR_PARTITION';

/**
 * No broker coordinates the group yet: a young cluster has not made its offsets topic, or its leader is away. kafkajs takes that
 * for final and ends the consumer; it passes.
 */
export const isCoordinatorMissing = (error: unknown): boolean => hasName(error, 'KafkaJSGroupCoordinatorNotFound');

/**
 * The broker refused the login, or the connection broke during it: kafkajs makes the same error of both, and takes it for final.
 * Found when brokers were restarted: whoever was about to log in ended.
 */
const isLoginFailed = (error: unknown): boolean => hasName(error, loginFailed);

/** kafkajs ended a consumer for something that passes. */
export const isPassingCrash = (error: unknown): boolean => isCoordinatorMissing(error) || isLoginFailed(error);

const noRight = (what: string): string =>
  `the broker knows who this is and gives it no right to ${what}: compare KAFKA_USERNAME, or the name in KAFKA_TLS_CERT_FILE, with the rights of this service`;

const hints: Readonly<Record<string, string>> = {
  TOPIC_AUTHORIZATION_FAILED: noRight('the topic'),
  GROUP_AUTHORIZATION_FAILED: noRight('the consumer group'),
  CLUSTER_AUTHORIZATION_FAILED: noRight('the cluster'),
};

/** What to do when the broker, or its certificate, refuses; undefined for other errors. */
export function refusalHint(error: unknown): string | undefined {
  for (const { name, type } of chainOf(error)) {
    const hint = type === undefined ? undefined : hints[type];
    if (hint !== undefined) return hint;
    if (name === loginFailed || type === 'SASL_AUTHENTICATION_FAILED')
      return 'the broker does not accept these credentials: check KAFKA_USERNAME, KAFKA_PASSWORD and KAFKA_SASL_MECHANISM';
  }
  return undefined;
}

/** The broker answered, and would answer the same again: it knows no such member or generation, for one. */
export function isFinalAnswer(error: unknown): boolean {
  for (const link of chainOf(error)) if (typeof link.type === 'string') return link.retriable === false;
  return false;
}
