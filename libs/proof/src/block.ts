/** Offsets are summed up in blocks of this size, so that what was summed up once need not be read again. */
export const blockSize = 4096;

export interface Block {
  readonly topic: string;
  readonly partition: number;
  readonly block: number;
  /** The offsets [from, to) of the block that were there. */
  readonly from: number;
  readonly to: number;
  readonly sums: Readonly<Record<string, number>>;
}

export const blockName = ({ topic, partition, block }: Pick<Block, 'topic' | 'partition' | 'block'>): string =>
  `${topic} ${partition} ${block}`;

/** The blocks that some offsets of a partition lie in. */
export function blocksIn(topic: string, { partition, from, to }: { partition: number; from: number; to: number }) {
  const blocks: Omit<Block, 'sums'>[] = [];
  for (let block = Math.floor(from / blockSize); block * blockSize < to; block++) {
    const start = block * blockSize;
    blocks.push({ topic, partition, block, from: Math.max(from, start), to: Math.min(to, start + blockSize) });
  }
  return blocks;
}

/** More would run into the limit for one statement, once a ledger has millions of rows. */
const blocksAtOnce = 12;

/** As much as one question to the ledger is about: the same offsets of all partitions, because those lie on the same pages. */
export function* portions<T extends Pick<Block, 'block'>>(
  blocks: readonly T[],
  atOnce = blocksAtOnce,
): Generator<readonly T[], void> {
  const byOffset = blocks.toSorted((a, b) => a.block - b.block);
  for (let at = 0; at < byOffset.length; at += atOnce) yield byOffset.slice(at, at + atOnce);
}

/** Neighbours as one, whatever order they come in. */
export function joined<T extends { topic: string; partition: number; from: number; to: number }>(blocks: readonly T[]) {
  const spans: { topic: string; partition: number; from: number; to: number }[] = [];
  const inOrder = blocks.toSorted(
    (a, b) => Number(a.topic > b.topic) - Number(a.topic < b.topic) || a.partition - b.partition || a.from - b.from,
  );
  for (const { topic, partition, from, to } of inOrder) {
    const last = spans.at(-1);
    if (last?.topic === topic && last.partition === partition && last.to === from) last.to = to;
    else spans.push({ topic, partition, from, to });
  }
  return spans;
}
