import { createHash } from 'node:crypto';
import { type Checkpoint, NoteRefused, parseCheckpoint } from '@tributary/ledger';
import { AwsClient } from 'aws4fetch';

export interface BucketCredentials {
  readonly accessKeyId: string;
  readonly secretAccessKey: string;
  readonly sessionToken?: string;
}

export interface CheckpointBucketOptions {
  /** A bucket, or a folder in it: `https://s3.eu-central-1.amazonaws.com/acme-checkpoints/ledger`. */
  readonly address: URL;
  readonly region: string;
  /** Asked for every request: mounted credentials change. */
  readonly credentials: () => BucketCredentials;
}

/** A round of the tree keeper waits for this, so an endpoint that hangs must not. */
const timeoutMs = 5_000;
const mostErrorText = 300;

/** The bucket did not keep a checkpoint, or not surely. */
export class CheckpointNotKept extends Error {
  readonly code = 'CHECKPOINT_NOT_KEPT';
  readonly retryable = true;
}

/** The bucket has another tree of that size: the ledger is not what was signed before. */
export class CheckpointContradicted extends Error {
  readonly code = 'CHECKPOINT_CONTRADICTED';
  readonly retryable = false;
}

/**
 * Keeps checkpoints as objects of a bucket. The write is conditional, so that nobody who has these credentials replaces an object by
 * mistake; that nobody does it on purpose takes a bucket with Object Lock or versions.
 */
export class CheckpointBucket {
  constructor(private readonly options: CheckpointBucketOptions) {}

  /** Durable when it returns. @throws CheckpointNotKept, CheckpointContradicted */
  async keep(checkpoint: Checkpoint): Promise<void> {
    const url = this.urlOf(checkpoint);
    const digest = createHash('sha256').update(checkpoint.note).digest();
    const { status, text } = await this.send(url, {
      method: 'PUT',
      body: checkpoint.note,
      headers: {
        'content-type': 'text/plain; charset=utf-8',
        'if-none-match': '*',
        'x-amz-content-sha256': digest.toString('hex'),
        // A bucket with Object Lock takes no object without a checksum.
        'x-amz-checksum-sha256': digest.toString('base64'),
      },
    });
    if (status === 412) return this.compare(url, checkpoint);
    if (status !== 200) throw notKept('PUT', url, status, text);
  }

  /** It was written before, by us before a crash or by who owned the partition then. */
  private async compare(url: URL, checkpoint: Checkpoint): Promise<void> {
    const { status, text } = await this.send(url, { method: 'GET' });
    if (status !== 200) throw notKept('GET', url, status, text);
    const kept = readNote(text);
    if (kept?.size === checkpoint.size && kept.root.equals(checkpoint.root)) return;
    throw new CheckpointContradicted(
      `${url.href} is not the tree of ${checkpoint.size} rows that the ledger has now: keep the database and the object as they are and run "tributary audit verify --database"`,
    );
  }

  /** By tree and then by size: listed by name, the last object of a tree is its newest. */
  private urlOf({ tree, size }: Checkpoint): URL {
    const { address } = this.options;
    // A segment of dots would be taken for a step upwards.
    const log = tree.log.split('/').map((segment) => encoded(segment).replace(/^\.+$/, '_'));
    const name = [...log, padded(tree.partition, 6), padded(tree.firstOffset, 16), `${padded(size, 16)}.note`];
    return new URL(`${address.origin}${address.pathname.replace(/\/+$/, '')}/${name.join('/')}`);
  }

  private async send(url: URL, init: RequestInit): Promise<{ readonly status: number; readonly text: string }> {
    const { region, credentials } = this.options;
    // The next round tries again, with what is newest then.
    const client = new AwsClient({ ...credentials(), region, service: 's3', retries: 0 });
    try {
      const answer = await client.fetch(url, {
        ...init,
        redirect: 'manual',
        signal: AbortSignal.timeout(timeoutMs),
      });
      return { status: answer.status, text: await answer.text() };
    } catch (error) {
      throw new CheckpointNotKept(`no answer to ${init.method} ${url.href}: is AUDIT_CHECKPOINT_S3 right?`, {
        cause: error,
      });
    }
  }
}

/** As signatures want it (RFC 3986): these five stay as they are otherwise. */
const encoded = (segment: string): string =>
  encodeURIComponent(segment).replace(/[!'()*]/g, (one) => `%${one.charCodeAt(0).toString(16).toUpperCase()}`);

const padded = (n: number, digits: number): string => String(n).padStart(digits, '0');

function readNote(text: string): Checkpoint | undefined {
  try {
    return parseCheckpoint(text);
  } catch (error) {
    // Something else lies there under the name of a checkpoint, which the caller says.
    if (error instanceof NoteRefused) return undefined;
    throw error;
  }
}

function notKept(method: string, url: URL, status: number, text: string): CheckpointNotKept {
  const code = /<Code>([^<]{1,100})<\/Code>/.exec(text)?.[1] ?? text.slice(0, mostErrorText);
  const hint = status === 403 ? '; the credentials need s3:PutObject and s3:GetObject there' : '';
  return new CheckpointNotKept(`${method} ${url.href} was answered ${status} ${code}${hint}`);
}

/** @throws Error when the text is no credentials; it never holds what it was given. */
export function parseCredentials(text: string): BucketCredentials {
  const [accessKeyId, secretAccessKey, ...token] = text.trim().split(':');
  if (!accessKeyId || !secretAccessKey)
    throw new Error('AUDIT_CHECKPOINT_S3_KEY is no <access key id>:<secret access key>[:<session token>]');
  return { accessKeyId, secretAccessKey, ...(token.length > 0 && { sessionToken: token.join(':') }) };
}

/** @throws Error when it cannot be the address of a bucket. */
export function parseBucketAddress(text: string): URL {
  const url = URL.canParse(text) ? new URL(text) : undefined;
  const isAddress = url && /^https?:$/.test(url.protocol) && !url.username && !url.search && !url.hash;
  if (!isAddress)
    throw new Error(
      'AUDIT_CHECKPOINT_S3 is no address of a bucket: write https://<endpoint>/<bucket> or https://<endpoint>/<bucket>/<folder>',
    );
  return url;
}
