import { readdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { type Checkpoint, generateKey, openCheckpoint, parseSigningKey, signCheckpoint } from '@tributary/ledger';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { type RunningS3, startS3 } from '../../../tools/local-stack/testing/s3-proxy.js';
import { CheckpointBucket, CheckpointContradicted, CheckpointNotKept } from './checkpoint-bucket.js';

let s3: RunningS3;
beforeAll(async () => {
  s3 = await startS3();
}, 300_000);
afterAll(() => s3?.stop());

const key = parseSigningKey(generateKey('acme.example/ledger').signingKey);
const signedAtMs = Date.UTC(2026, 0, 15);

function aCheckpoint(over: Partial<Omit<Checkpoint, 'note'>> = {}): Checkpoint {
  const tree = { log: 'acme.example/ledger/audit.records.v1', partition: 3, firstOffset: 17 };
  return signCheckpoint({ tree, size: 100, root: Buffer.alloc(32, 1), signedAtMs, ...over }, [key]);
}

const bucketAt = (folder: string, secretAccessKey = s3.secretAccessKey): CheckpointBucket =>
  new CheckpointBucket({
    address: new URL(s3.bucket + folder),
    region: 'eu-central-1',
    credentials: () => ({ accessKeyId: s3.accessKeyId, secretAccessKey }),
  });

const namesIn = async (folder: string): Promise<string[]> =>
  (await readdir(join(s3.folder, folder), { recursive: true })).filter((name) => name.endsWith('.note')).sort();

describe('a bucket for checkpoints', () => {
  it('keeps each as an object, and lists those of a tree by size', async () => {
    const kept = [99, 100, 1_000].map((size) => aCheckpoint({ size }));
    for (const checkpoint of [...kept].reverse()) await bucketAt('/kept/').keep(checkpoint);
    const names = await namesIn('kept');
    expect(names).toEqual(
      ['0000000000000099', '0000000000000100', '0000000000001000'].map(
        (size) => `acme.example/ledger/audit.records.v1/000003/0000000000000017/${size}.note`,
      ),
    );
    for (const [i, name] of names.entries()) {
      const note = await readFile(join(s3.folder, 'kept', name), 'utf8');
      expect(openCheckpoint(note, [key.verifying])).toEqual(kept[i]);
    }
  });

  it('has the first of two that say the same, as after a crash', async () => {
    const bucket = bucketAt('/twice');
    await bucket.keep(aCheckpoint());
    await bucket.keep(aCheckpoint({ signedAtMs: signedAtMs + 1 }));
    const [name = ''] = await namesIn('twice');
    expect(await readFile(join(s3.folder, 'twice', name), 'utf8')).toBe(aCheckpoint().note);
  });

  it('refuses another tree of the same size, and still has the first', async () => {
    const bucket = bucketAt('/forked');
    await bucket.keep(aCheckpoint());
    const other = bucket.keep(aCheckpoint({ root: Buffer.alloc(32, 2) }));
    await expect(other).rejects.toThrow(CheckpointContradicted);
    const [name = ''] = await namesIn('forked');
    expect(await readFile(join(s3.folder, 'forked', name), 'utf8')).toBe(aCheckpoint().note);
  });

  it('keeps trees apart whose names have what a path or a URL reads otherwise', async () => {
    const logs = ['a/../b', 'a/b', '\u00e4/\u00df', 'a%2Fb', 'a?b#c', 'a&b=c', "a'(b)*!"];
    for (const log of logs) {
      const tree = { log, partition: 0, firstOffset: 0 };
      await bucketAt('/names').keep(aCheckpoint({ tree }));
    }
    expect(await namesIn('names')).toHaveLength(logs.length);
  });

  it('says that the credentials are not right, and not what they are', async () => {
    const keeping = bucketAt('/refused', 'another secret').keep(aCheckpoint());
    await expect(keeping).rejects.toThrow(/answered 403 SignatureDoesNotMatch; the credentials need s3:PutObject/);
    await expect(keeping).rejects.not.toThrow(/another secret/);
  });

  it('says that there is no bucket', async () => {
    const elsewhere = new URL('/nowhere', s3.bucket);
    const { accessKeyId, secretAccessKey } = s3;
    const bucket = new CheckpointBucket({
      address: elsewhere,
      region: 'us-east-1',
      credentials: () => ({ accessKeyId, secretAccessKey }),
    });
    await expect(bucket.keep(aCheckpoint())).rejects.toThrow(/answered 404 NoSuchBucket/);
  });

  it('says that nobody answers', async () => {
    const bucket = new CheckpointBucket({
      // The port of nothing: 1 is never listened on here.
      address: new URL('http://127.0.0.1:1/bucket'),
      region: 'us-east-1',
      credentials: () => ({ accessKeyId: 'a', secretAccessKey: 'b' }),
    });
    await expect(bucket.keep(aCheckpoint())).rejects.toThrow(CheckpointNotKept);
  });
});
