export { CompactedTopicReader, type CompactedTopicReaderOptions } from './admin/compacted-topic-reader.js';
export { type GroupOffset, type PartitionRange, TopicAdmin } from './admin/topic-admin.js';
export * from './admin/topic-plan.js';
export { scanTopic, type TopicScanOptions } from './admin/topic-scan.js';
export * from './connection/client.js';
export * from './connection/clock.js';
export * from './connection/logger.js';
export {
  type CompletionMap,
  decodeCompletionMap,
  emptyCompletionMap,
  encodeCompletionMap,
  UnreadableCompletionMap,
} from './consumer/completion-map.js';
export type { ConsumerDriver } from './consumer/consumer-driver.js';
export { ConsumerRuntime, type ConsumerRuntimeParts } from './consumer/consumer-runtime.js';
export { KafkaJsDriver, type KafkaJsDriverOptions } from './consumer/kafkajs-driver.js';
export * from './consumer/runtime-options.js';
export { murmur2, partitionOf } from './murmur2.js';
export * from './nest/boot-check.js';
export { Consumes, kafkaRuntimeTransport } from './nest/consumes.js';
export { KafkaRuntimeServer, type KafkaRuntimeServerOptions } from './nest/kafka-runtime-server.js';
export * from './producer/producer-errors.js';
export { RecordProducer, type RecordProducerOptions } from './producer/record-producer.js';
export * from './records.js';
export { AvroSerde, type AvroSerdeOptions, type Decoded, subjectOf } from './serde/avro-serde.js';
export { SchemaAdmin, type SchemaStep } from './serde/schema-admin.js';
export * from './serde/serde-errors.js';
