import type { ParkedCopy } from './parked-copy.js';
import type { ChainBlock, Fence, RetryPair } from './retry-pair.js';
import type { PlantedBug } from './retry-rules.js';

/** Rule 10 and the weaker forms of it that the simulation must find to be wrong. */
export function chainBlockOf(
  pair: RetryPair,
  copy: ParkedCopy,
  fence: Fence,
  plantedBug: PlantedBug | undefined,
): ChainBlock | undefined {
  switch (plantedBug) {
    case 'no-chain-gate':
      return undefined;
    case 'late-gate':
      return pair.isUnread(copy.origin) ? 'main-unread' : undefined;
    case 'own-gate':
      return ownBlock(pair, copy) ?? (isOwnUncommitted(pair, copy) ? 'uncommitted' : undefined);
    case 'own-gate-ghost': {
      const block = pair.chainBlock(copy, fence);
      return block === 'main-unfinished' ? ownBlock(pair, copy) : block;
    }
    default:
      return pair.chainBlock(copy, fence);
  }
}

/** Looks at the record's own entry in main and at no other of its key. */
function ownBlock(pair: RetryPair, { origin }: ParkedCopy): ChainBlock | undefined {
  if (pair.isUnread(origin)) return 'main-unread';
  return pair.main.tracker?.isFinished(origin) ? undefined : 'main-unfinished';
}

const isOwnUncommitted = (pair: RetryPair, { origin, lane }: ParkedCopy): boolean =>
  pair.finishes.of(lane).some((finish) => finish.origin === origin);
