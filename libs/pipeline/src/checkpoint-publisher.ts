import { type Checkpoint as CheckpointRecord, topics } from '@tributary/contracts';
import { type Checkpoint, originOf } from '@tributary/ledger';
import type { RecordCodec, RecordWriter } from './ports.js';

const hourMs = 60 * 60 * 1000;
const record = 'tributary.audit.Checkpoint';

/** Compaction leaves the last checkpoint of each tree and hour. */
const keyOf = ({ tree, signedAtMs }: Checkpoint): string =>
  `${originOf(tree)}:${new Date(Math.floor(signedAtMs / hourMs) * hourMs).toISOString()}`;

/** Publishes a checkpoint where the database has no say. Durable when it returns. */
export async function publishCheckpoint(
  { codec, writer }: { readonly codec: Pick<RecordCodec, 'encode'>; readonly writer: RecordWriter },
  checkpoint: Checkpoint,
): Promise<void> {
  const topic = topics.auditCheckpoints.name;
  const value: CheckpointRecord = {
    origin: originOf(checkpoint.tree),
    partition: checkpoint.tree.partition,
    firstOffset: checkpoint.tree.firstOffset,
    size: checkpoint.size,
    rootHash: checkpoint.root.toString('base64'),
    signedAt: checkpoint.signedAtMs,
    note: checkpoint.note,
  };
  await writer.send({ topic, key: keyOf(checkpoint), value: await codec.encode(topic, record, value) });
}

/** The newest published note of each partition, as far as they came by. */
export class PublishedCheckpoints {
  private readonly newest = new Map<number, CheckpointRecord>();

  constructor(private readonly codec: Pick<RecordCodec, 'decode'>) {}

  async take(value: Buffer): Promise<void> {
    const { value: one } = await this.codec.decode<CheckpointRecord>(value, record);
    const known = this.newest.get(one.partition);
    // By size, not by time: two who owned the partition for a moment may have published in another order.
    if (!known || one.size >= known.size) this.newest.set(one.partition, one);
  }

  lastNote(partition: number): string | undefined {
    return this.newest.get(partition)?.note;
  }
}
