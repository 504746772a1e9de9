/** CRC-32C (Castagnoli, polynomial 0x1EDC6F41 reflected), the checksum of Kafka's record batches. */

const polynomial = 0x82f63b78;
const tableCount = 8;

// tables[k][b]: the checksum's change for byte b with k bytes after it, so that eight bytes are taken in one step.
const tables = Array.from({ length: tableCount }, () => new Int32Array(256)) as [Int32Array, ...Int32Array[]];
for (let byte = 0; byte < 256; byte++) {
  let crc = byte;
  for (let bit = 0; bit < 8; bit++) crc = crc & 1 ? (crc >>> 1) ^ polynomial : crc >>> 1;
  tables[0][byte] = crc;
}
for (let k = 1; k < tableCount; k++) {
  const before = tables[k - 1] as Int32Array;
  const table = tables[k] as Int32Array;
  for (let byte = 0; byte < 256; byte++) {
    const crc = before[byte] as number;
    table[byte] = (crc >>> 8) ^ (tables[0][crc & 0xff] as number);
  }
}
const [t0, t1, t2, t3, t4, t5, t6, t7] = tables as unknown as readonly [
  Int32Array,
  Int32Array,
  Int32Array,
  Int32Array,
  Int32Array,
  Int32Array,
  Int32Array,
  Int32Array,
];

/** Of `bytes[start, end)`, as an unsigned 32-bit number. */
export function crc32c(bytes: Uint8Array, start = 0, end = bytes.length): number {
  let crc = -1;
  let at = start;
  for (; at + 8 <= end; at += 8) {
    const low =
      crc ^ (at0(bytes, at) | (at0(bytes, at + 1) << 8) | (at0(bytes, at + 2) << 16) | (at0(bytes, at + 3) << 24));
    crc =
      at0(t7, low & 0xff) ^
      at0(t6, (low >>> 8) & 0xff) ^
      at0(t5, (low >>> 16) & 0xff) ^
      at0(t4, low >>> 24) ^
      at0(t3, at0(bytes, at + 4)) ^
      at0(t2, at0(bytes, at + 5)) ^
      at0(t1, at0(bytes, at + 6)) ^
      at0(t0, at0(bytes, at + 7));
  }
  for (; at < end; at++) crc = at0(t0, (crc ^ at0(bytes, at)) & 0xff) ^ (crc >>> 8);
  return (crc ^ -1) >>> 0;
}

// Every index is within its array by construction.
const at0 = (array: Uint8Array | Int32Array, index: number): number => array[index] as number;
