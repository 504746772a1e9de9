/**
 * Kafka's storage tool takes `--cluster-id -abc` for an option without a value. Random ids in base64url begin with a hyphen one time
 * in 64, so one start of the local stack in 64 failed with "expected one argument".
 */
import { expect, it } from 'vitest';
import { newClusterId } from '../../tools/local-stack/kafka.js';

it('a cluster id never begins with a hyphen and stays a UUID in base64url', () => {
  const ids = Array.from({ length: 5_000 }, newClusterId);
  expect(ids.filter((id) => !/^[A-Za-z0-9_][A-Za-z0-9_-]{21}$/.test(id))).toEqual([]);
  expect(new Set(ids).size).toBe(ids.length);
});
