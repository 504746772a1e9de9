import { databaseSettings, integer, kekSettings, ledgerKeySettings, optionalText, text } from '@tributary/config';

export const auditLoggerSettings = {
  ...databaseSettings,
  ...ledgerKeySettings,
  ...kekSettings,
  concurrency: integer(
    'CONCURRENCY',
    'Batches of up to 250 audit records that are worked on at the same time; up to 2,000 records go into one transaction.',
    24,
    1,
  ),
  auditLogName: text(
    'AUDIT_LOG_NAME',
    'Names the ledger in its checkpoints, for example acme.example/ledger; it never changes, or new trees would begin.',
    { fallback: 'tributary.local/ledger' },
  ),
  auditSigningKey: optionalText(
    'AUDIT_SIGNING_KEY',
    'Reference (file:, enc:, env:) to the key that signs checkpoints, made by "tributary audit new-key"; absent: nothing is signed.',
  ),
  auditPublicKeysFile: optionalText(
    'AUDIT_PUBLIC_KEYS_FILE',
    'File with the public keys of former signing keys, one a line: what they signed still binds the ledger.',
  ),
  checkpointSeconds: integer('AUDIT_CHECKPOINT_SECONDS', 'Seconds between two checkpoints of a growing ledger.', 10, 1),
  checkpointFile: optionalText(
    'AUDIT_CHECKPOINT_FILE',
    'File that every checkpoint is appended to as well: kept where nobody can write to it afterwards, it tells later of a rewritten ledger.',
  ),
  checkpointBucket: optionalText(
    'AUDIT_CHECKPOINT_S3',
    'Address of an S3 bucket, or of a folder in it, that every checkpoint is written to as well, as an object that is never overwritten: https://<endpoint>/<bucket>/<folder>.',
  ),
  checkpointBucketRegion: text('AUDIT_CHECKPOINT_S3_REGION', 'Region of that bucket.', { fallback: 'us-east-1' }),
  checkpointBucketKey: optionalText(
    'AUDIT_CHECKPOINT_S3_KEY',
    'Reference (file:, enc:, env:) to <access key id>:<secret access key>[:<session token>] that may put and get objects there; read anew for each.',
  ),
} as const;
