import type { RecordName } from '@tributary/contracts';
import { InfrastructureUnavailable } from '@tributary/domain';
import type { OutgoingRecord, RecordPosition } from '@tributary/kafka';

/** What the stages need of the rest; each stage names the ports it uses. */
export interface RecordWriter {
  /** Resolves when all replicas have the record. */
  send(record: OutgoingRecord): Promise<RecordPosition>;
}

export interface RecordCodec {
  /** @throws InvalidRecordValue, SchemaNotFound, RegistryUnavailable */
  encode(topic: string, record: RecordName, value: object): Promise<Buffer>;
  /** @throws InvalidAvro, SchemaNotFound, RegistryUnavailable */
  decode<T>(bytes: Buffer, reader?: RecordName): Promise<{ readonly recordName: string; readonly value: T }>;
  /** As `decode`, at once; undefined when the schema is not known yet. @throws InvalidAvro */
  decodeKnown<T>(bytes: Buffer, reader?: RecordName): { readonly recordName: string; readonly value: T } | undefined;
}

/** The wall clock and chance, passed in so that tests have their own. */
export interface Surroundings {
  nowMs(): number;
  /** In [0, 1). */
  random(): number;
}

export const realSurroundings: Surroundings = { nowMs: () => Date.now(), random: () => Math.random() };

/** A schema of ours that the registry does not know is a deployment's mistake, never the record's: the record waits. */
export function patientCodec(codec: RecordCodec): RecordCodec {
  return {
    decode: (bytes, reader) => codec.decode(bytes, reader),
    decodeKnown: (bytes, reader) => codec.decodeKnown(bytes, reader),
    encode: async (topic, record, value) => {
      try {
        return await codec.encode(topic, record, value);
      } catch (error) {
        if ((error as { code?: string }).code !== 'SCHEMA_NOT_FOUND') throw error;
        throw new InfrastructureUnavailable('the schema registry', error);
      }
    },
  };
}
