import { sha256Hex } from '@tributary/domain';

// Two of these fit an index row (2704 bytes), whatever the encoding makes of them.
const mostBytes = 1_000;

/** Ids come from outside: what PostgreSQL cannot keep or index stands for itself by its digest, so that no id fails a batch. */
export const indexable = (text: string): string =>
  text.includes('\0') || !text.isWellFormed() || Buffer.byteLength(text) > mostBytes
    ? `sha256:${sha256Hex(JSON.stringify(text))}`
    : text;
