import { type AuditRecord, avroType, type RecordName, topicFamilies, topics } from '@tributary/contracts';
import { InfrastructureUnavailable, PlatformError } from '@tributary/domain';
import type { IncomingRecord, OutgoingRecord } from '@tributary/kafka';
import { AuditTrail } from '../audit-trail.js';
import type { RecordCodec, RecordWriter, Surroundings } from '../ports.js';

/** A refusal that waiting does not mend. */
export class Refused extends PlatformError {
  readonly retryable = false;
  constructor(readonly code: string) {
    super(`refused: ${code}`);
  }
}

/** Real Avro without a registry: the record's name stands before its bytes. */
export class MemoryCodec implements RecordCodec {
  /** Asked before each call; throws what the registry would. */
  trouble: (act: 'encode' | 'decode', record: string) => void = () => undefined;
  decoded = 0;

  async encode(_topic: string, record: RecordName, value: object): Promise<Buffer> {
    this.trouble('encode', record);
    if (!avroType(record).isValid(value)) throw new Refused('INVALID_RECORD_VALUE');
    return Buffer.concat([Buffer.from(`${record}\n`), avroType(record).toBuffer(value)]);
  }

  async decode<T>(bytes: Buffer, reader?: RecordName): Promise<{ recordName: string; value: T }> {
    return this.decodeKnown(bytes, reader);
  }

  decodeKnown<T>(bytes: Buffer, reader?: RecordName): { recordName: string; value: T } {
    this.decoded += 1;
    const end = bytes.indexOf('\n');
    const name = bytes.toString('utf8', 0, end) as RecordName;
    this.trouble('decode', name);
    if (end < 0 || (reader && reader !== name)) throw new Refused('INVALID_AVRO');
    return { recordName: name, value: avroType(name).fromBuffer(bytes.subarray(end + 1)) as T };
  }
}

/** A topic log in memory. */
export class MemoryWriter implements RecordWriter {
  readonly sent: OutgoingRecord[] = [];
  /** Asked before each record; throws what the producer would. */
  trouble: (record: OutgoingRecord) => void = () => undefined;

  async send(record: OutgoingRecord) {
    await Promise.resolve();
    this.trouble(record);
    this.sent.push(record);
    return { topic: record.topic, partition: record.partition ?? 0, offset: BigInt(this.sent.length - 1) };
  }

  to(topic: string): OutgoingRecord[] {
    return this.sent.filter((record) => record.topic === topic);
  }
}

export const away = () => new InfrastructureUnavailable('Kafka', new Error('no broker'));

/** Codec, writer and audit trail of one stage under test. */
export function memoryWorld() {
  const codec = new MemoryCodec();
  const writer = new MemoryWriter();
  const clock = { now: 1_000_000 };
  const surroundings: Surroundings = { nowMs: () => clock.now++, random: () => 0 };
  const audits = async (): Promise<AuditRecord[]> => {
    const told = writer.to(topics.audit.name).map(({ value }) => codec.decode<AuditRecord>(value as Buffer));
    return (await Promise.all(told)).map(({ value }) => value);
  };
  return { codec, writer, clock, surroundings, audit: new AuditTrail(writer, codec), audits };
}

export function incoming(over: Partial<IncomingRecord> = {}): IncomingRecord {
  const rawHeaders = over.rawHeaders ?? {};
  const headers = Object.entries(rawHeaders).map(([name, value]) => [name.toLowerCase(), String(value)]);
  return {
    topic: topicFamilies.raw('test').name,
    partition: 0,
    offset: 0n,
    timestampMs: 5_000,
    key: Buffer.from('acme:in:1'),
    value: null,
    headers: Object.fromEntries(headers),
    rawHeaders,
    ...over,
  };
}
