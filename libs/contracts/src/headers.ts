/**
 * Names of the Kafka headers we write. CloudEvents attributes follow the Kafka binary mode of CloudEvents 1.0;
 * all values are UTF-8 text, and a header that we write replaces one of the same name.
 */
export const cloudEventHeaders = {
  id: 'ce_id',
  source: 'ce_source',
  type: 'ce_type',
  specversion: 'ce_specversion',
  subject: 'ce_subject',
  time: 'ce_time',
  dataschema: 'ce_dataschema',
  tenant: 'ce_tenant',
  correlationid: 'ce_correlationid',
  causationid: 'ce_causationid',
  partitionkey: 'ce_partitionkey',
} as const;

export const deliveryHeaders = {
  deliveryId: 'x-delivery-id',
  subscriptionId: 'x-subscription-id',
  connectionId: 'x-connection-id',
  operation: 'x-operation',
} as const;

export const retryHeaders = {
  /** Attempts made so far, from 1. */
  attempt: 'x-retry-attempt',
  /** Not before, epoch milliseconds. */
  dueMs: 'x-retry-due-ms',
  firstFailureMs: 'x-retry-first-failure-ms',
  /** One of `holdMarks`. */
  hold: 'x-retry-hold',
  /** On an entry that holds its key: the dead letter that it stands for, `<topic>/<partition>/<offset>`. */
  deadLetter: 'x-retry-dead-letter',
} as const;

/**
 * `deadLetter`: on a dead letter, that it holds its key; on an entry of a retry topic, that it is not attempted and only keeps the key
 * locked. `released`: on an entry of a retry topic, that a person gave the record up, so it and what held its key are finished.
 */
export const holdMarks = { deadLetter: 'dead-letter', released: 'released' } as const;
export type HoldMark = (typeof holdMarks)[keyof typeof holdMarks];

export const originHeaders = {
  topic: 'x-origin-topic',
  partition: 'x-origin-partition',
  offset: 'x-origin-offset',
  timestamp: 'x-origin-timestamp',
  group: 'x-origin-group',
} as const;

export const errorHeaders = {
  class: 'x-error-class',
  code: 'x-error-code',
  message: 'x-error-message',
  stage: 'x-error-stage',
  fingerprint: 'x-error-fingerprint',
} as const;

export const redriveHeaders = { id: 'x-redrive-id', count: 'x-redrive-count' } as const;

export const contentTypeHeader = 'content-type';
/** The Avro value carries Confluent's 5-byte prefix, so this is not plain Avro: ce_dataschema names the schema. */
export const avroContentType = 'application/avro';
