import { describe, expect, it } from 'vitest';
import { parseBucketAddress, parseCredentials } from './checkpoint-bucket.js';

describe('the address of a bucket', () => {
  it.each(['https://s3.eu-central-1.amazonaws.com/acme', 'http://127.0.0.1:9000/acme/checkpoints/'])(
    'is %s',
    (text) => {
      expect(parseBucketAddress(text).href).toBe(text);
    },
  );

  it.each([
    '',
    'acme',
    's3://acme/x',
    'file:///tmp/x',
    'https://id:secret@host/b',
    'https://host/b?x',
    'https://host/b#x',
  ])('is not %j', (text) =>
    expect(() => parseBucketAddress(text)).toThrow(/AUDIT_CHECKPOINT_S3 is no address of a bucket/),
  );
});

describe('credentials', () => {
  it.each([
    ['AKIA:secret\n', { accessKeyId: 'AKIA', secretAccessKey: 'secret' }],
    ['ASIA:se/cr+t:to:ken', { accessKeyId: 'ASIA', secretAccessKey: 'se/cr+t', sessionToken: 'to:ken' }],
  ])('are read from %j', (text, credentials) => expect(parseCredentials(text)).toEqual(credentials));

  it.each(['', 'hidden', 'hidden:', ':hidden'])('are not %j, which is not repeated', (text) => {
    const reading = () => parseCredentials(text);
    expect(reading).toThrow(/is no <access key id>:<secret access key>/);
    expect(reading).not.toThrow(/hidden/);
  });
});
