import { readFileSync } from 'node:fs';
import { appendFile } from 'node:fs/promises';
import type { ValuesOf } from '@tributary/config';
import { topics } from '@tributary/contracts';
import { CompactedTopicReader, TopicAdmin } from '@tributary/kafka';
import { parseSigningKey, parseVerifyingKey, type VerifyingKey } from '@tributary/ledger';
import { type Database, LedgerTrees } from '@tributary/persistence';
import { PublishedCheckpoints, publishCheckpoint, TreeKeeper, type TreeKeeperPorts } from '@tributary/pipeline';
import { openSecrets, type Platform, type ServiceContext } from '@tributary/runtime';
import { CheckpointBucket, parseBucketAddress, parseCredentials } from './checkpoint-bucket.js';
import type { auditLoggerSettings } from './settings.js';

type Settings = ValuesOf<typeof auditLoggerSettings>;

export interface TreeKeepingOptions {
  readonly context: ServiceContext<typeof auditLoggerSettings>;
  readonly platform: Platform;
  readonly database: Database;
  readonly partitions: () => readonly number[];
}

/** Keeps and signs the trees of the partitions that this process owns. Returns how to stop. */
export async function startTreeKeeping(options: TreeKeepingOptions): Promise<() => Promise<void>> {
  const { context, platform, database, partitions } = options;
  const { settings, logger, metrics, onFatal } = context;
  const bucket = bucketOf(settings);
  const admin = new TopicAdmin(platform.client);
  const published = new PublishedCheckpoints(platform.codec);
  const reader = new CompactedTopicReader({
    client: platform.client,
    topic: topics.auditCheckpoints.name,
    logger,
    onFatal,
    onRecord: async (key, value) => {
      if (!value) return;
      await published.take(value).catch((error: Error) => logger.error({ error, key }, 'checkpoint.unreadable'));
    },
  });
  const keeper = new TreeKeeper(`${settings.auditLogName}/${topics.audit.name}`, {
    trees: new LedgerTrees(database),
    lowOffset: (partition) => lowOffset(admin, partition),
    // Nothing is signed before what was signed is known.
    partitions: () => (reader.isReady ? partitions() : []),
    lastNote: (partition) => published.lastNote(partition),
    keys: keysOf(settings),
    publish: async (checkpoint) => {
      // The topic last: what was published is not signed again, so a full disk would leave a hole in the file.
      if (settings.checkpointFile) await appendFile(settings.checkpointFile, `${checkpoint.note}\n`);
      await bucket?.keep(checkpoint);
      await publishCheckpoint({ codec: platform.codec, writer: platform.producer }, checkpoint);
      metrics.add('ledger.checkpoints', 1);
    },
    nowMs: () => Date.now(),
    logger,
  });
  metrics.observe('ledger.trees.refused', () => [[keeper.refusedTrees]]);
  metrics.observe('ledger.checkpoint.age', () => [[keeper.longestUnkeptMs / 1000]]);
  await reader.start();
  if (!settings.auditSigningKey) logger.warn({}, 'ledger.not-signed');
  const keeping = setInterval(() => void keeper.keep(), settings.checkpointSeconds * 1000);
  return async () => {
    clearInterval(keeping);
    await keeper.keep();
    await reader.stop();
    await admin.close();
  };
}

async function lowOffset(admin: TopicAdmin, partition: number): Promise<number> {
  const range = (await admin.offsets(topics.audit.name))?.find((one) => one.partition === partition);
  if (!range) throw new Error(`topic ${topics.audit.name} has no partition ${partition}: run "tributary topics apply"`);
  return range.low;
}

/** Read anew at every round: a mounted key changes, and a key that cannot be had must not end the process. */
function keysOf({ auditSigningKey, auditPublicKeysFile, kekFile }: Settings): TreeKeeperPorts['keys'] {
  if (!auditSigningKey) return () => undefined;
  const read = secretAt(kekFile, 'AUDIT_SIGNING_KEY', auditSigningKey);
  return () => ({ signing: parseSigningKey(read()), former: formerKeys(auditPublicKeysFile) });
}

/** @throws Error when the bucket is named and cannot be used as it is named: better at the start than at the first checkpoint. */
function bucketOf(settings: Settings): CheckpointBucket | undefined {
  const { checkpointBucket, checkpointBucketRegion: region, checkpointBucketKey, kekFile } = settings;
  if (!checkpointBucket) return undefined;
  if (!checkpointBucketKey) throw new Error('AUDIT_CHECKPOINT_S3 is set, so AUDIT_CHECKPOINT_S3_KEY must be, too');
  const read = secretAt(kekFile, 'AUDIT_CHECKPOINT_S3_KEY', checkpointBucketKey);
  return new CheckpointBucket({
    address: parseBucketAddress(checkpointBucket),
    region,
    credentials: () => parseCredentials(read()),
  });
}

/** Reads the secret that the setting refers to. @throws Error that names the setting when it cannot be had now. */
function secretAt(kekFile: Settings['kekFile'], setting: string, reference: string): () => string {
  const { reader } = openSecrets(kekFile);
  return () => {
    const reading = reader.read(reference);
    if (!reading.ok) throw new Error(`${setting} ${reading.reason}`);
    return reading.value;
  };
}

function formerKeys(file: string | undefined): VerifyingKey[] {
  if (!file) return [];
  const lines = readFileSync(file, 'utf8').split('\n');
  return lines.filter((line) => line.trim() !== '').map(parseVerifyingKey);
}
