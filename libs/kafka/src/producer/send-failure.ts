import { protocolErrorType } from '../connection/kafka-errors.js';

/** What a failed produce request asks of us. */
export type SendFailure =
  /** Send the very same batch again. */
  | 'transient'
  /** The topic is gone. */
  | 'unknown-topic'
  /** Something in the batch will never be taken. */
  | 'refused'
  /** The broker no longer follows our sequence numbers: a new producer id is needed. */
  | 'identity';

const byType: Readonly<Record<string, SendFailure>> = {
  UNKNOWN_TOPIC_OR_PARTITION: 'unknown-topic',
  MESSAGE_TOO_LARGE: 'refused',
  RECORD_LIST_TOO_LARGE: 'refused',
  INVALID_TOPIC_EXCEPTION: 'refused',
  TOPIC_AUTHORIZATION_FAILED: 'refused',
  CLUSTER_AUTHORIZATION_FAILED: 'refused',
  UNSUPPORTED_FOR_MESSAGE_FORMAT: 'refused',
  INVALID_RECORD: 'refused',
  INVALID_TIMESTAMP: 'refused',
  POLICY_VIOLATION: 'refused',
  OUT_OF_ORDER_SEQUENCE_NUMBER: 'identity',
  DUPLICATE_SEQUENCE_NUMBER: 'identity',
  INVALID_PRODUCER_EPOCH: 'identity',
  UNKNOWN_PRODUCER_ID: 'identity',
  INVALID_PRODUCER_ID_MAPPING: 'identity',
};

export function classifySendFailure(error: unknown): SendFailure {
  return byType[protocolErrorType(error) ?? ''] ?? 'transient';
}
