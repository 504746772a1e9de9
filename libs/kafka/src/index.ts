export * from './connection/client.js';
export * from './connection/clock.js';
export * from './connection/logger.js';
export { murmur2, partitionOf } from './murmur2.js';
export * from './producer/producer-errors.js';
export { RecordProducer, type RecordProducerOptions } from './producer/record-producer.js';
export * from './records.js';
export { AvroSerde, type AvroSerdeOptions, type Decoded, subjectOf } from './serde/avro-serde.js';
export * from './serde/serde-errors.js';
