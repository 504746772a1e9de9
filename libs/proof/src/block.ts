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

/** Neighbours as one. */
export function joined<T extends { topic: string; partition: number; from: number; to: number }>(blocks: readonly T[]) {
  const spans: { topic: string; partition: number; from: number; to: number }[] = [];
  for (const { topic, partition, from, to } of blocks) {
    const last = spans.at(-1);
    if (last?.topic === topic && last.partition === partition && last.to === from) last.to = to;
    else spans.push({ topic, partition, from, to });
  }
  return spans;
}
