const seed = 0x9747b28c;
const multiplier = 0x5bd1e995;

/** Murmur2 as Kafka's Java clients compute it, signed 32-bit. */
export function murmur2(bytes: Uint8Array): number {
  const whole = bytes.length & ~3;
  let hash = seed ^ bytes.length;
  for (let i = 0; i < whole; i += 4) {
    let word = wordAt(bytes, i);
    word = Math.imul(word, multiplier);
    word ^= word >>> 24;
    hash = Math.imul(hash, multiplier) ^ Math.imul(word, multiplier);
  }
  if (whole < bytes.length) hash = Math.imul(hash ^ tailAt(bytes, whole), multiplier);
  hash ^= hash >>> 13;
  hash = Math.imul(hash, multiplier);
  return hash ^ (hash >>> 15);
}

/** Partition of a key among `count`, as Kafka's Java clients choose it. */
export function partitionOf(key: Uint8Array | string, count: number): number {
  const bytes = typeof key === 'string' ? Buffer.from(key, 'utf8') : key;
  return (murmur2(bytes) & 0x7fffffff) % count;
}

const byte = (bytes: Uint8Array, i: number) => bytes[i] ?? 0;
const wordAt = (bytes: Uint8Array, i: number) =>
  byte(bytes, i) | (byte(bytes, i + 1) << 8) | (byte(bytes, i + 2) << 16) | (byte(bytes, i + 3) << 24);
// Beyond the end every byte reads as zero, which leaves the missing ones out.
const tailAt = wordAt;
