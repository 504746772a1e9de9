import { AssignerProtocol, type PartitionAssigner } from 'kafkajs';

/** What a member had when it joined. */
export interface PreviousOwner {
  readonly memberId: string;
  readonly partitions: readonly number[];
  /** Epoch milliseconds of the join that gave them; 0: it never had any. */
  readonly sinceMs: number;
}

/** What this process owns, for its next join. */
export interface Ownership {
  readonly partitions: readonly number[];
  readonly sinceMs: number;
}

export const nothingOwned: Ownership = { partitions: [], sinceMs: 0 };

/**
 * Gives each partition number to one member: whoever had it keeps it, nobody has two more than another. All topics of the group
 * follow the number, so a record and its parked copies have one owner.
 */
export function assignNumbers(members: readonly PreviousOwner[], count: number): Map<string, number[]> {
  const sorted = [...members].sort((a, b) => (a.memberId < b.memberId ? -1 : 1));
  const taken = new Map(sorted.map(({ memberId }) => [memberId, [] as number[]]));
  if (sorted.length === 0) return taken;
  const free = keepClaims(sorted, count, taken);
  for (const number of free) leastLoaded(sorted, taken).push(number);
  for (const numbers of taken.values()) numbers.sort((a, b) => a - b);
  return taken;
}

/** Of two that claim a number the later owner is right. @returns the numbers nobody keeps. */
function keepClaims(members: readonly PreviousOwner[], count: number, taken: Map<string, number[]>): number[] {
  const least = Math.floor(count / members.length);
  let extra = count % members.length;
  const kept = new Set<number>();
  for (const { memberId, partitions } of [...members].sort((a, b) => b.sinceMs - a.sinceMs)) {
    const claims = [...new Set(partitions)].filter((number) => isNumberBelow(number, count) && !kept.has(number));
    const isFull = claims.length > least && extra > 0;
    if (isFull) extra -= 1;
    const mine = claims.slice(0, least + (isFull ? 1 : 0));
    for (const number of mine) kept.add(number);
    taken.set(memberId, mine);
  }
  return Array.from({ length: count }, (_, number) => number).filter((number) => !kept.has(number));
}

const isNumberBelow = (number: number, count: number): boolean =>
  Number.isInteger(number) && number >= 0 && number < count;

function leastLoaded(members: readonly PreviousOwner[], taken: Map<string, number[]>): number[] {
  const loads = members.map(({ memberId }) => taken.get(memberId) as number[]);
  return loads.reduce((least, load) => (load.length < least.length ? load : least));
}

const version = 1;

export function encodeOwnership({ partitions, sinceMs }: Ownership): Buffer {
  return Buffer.from(JSON.stringify({ version, sinceMs, partitions }));
}

/** Another release or another client may have written it: what cannot be read claims nothing. */
export function decodeOwnership(userData: Uint8Array | null | undefined): Ownership {
  try {
    const said = JSON.parse(Buffer.from(userData ?? []).toString('utf8')) as Partial<Ownership & { version: number }>;
    const { partitions, sinceMs } = said ?? {};
    if (said?.version !== version || !Array.isArray(partitions) || !Number.isFinite(sinceMs)) return nothingOwned;
    return { partitions: partitions.filter(Number.isInteger), sinceMs: sinceMs as number };
  } catch {
    return nothingOwned;
  }
}

/** The assigner for kafkajs. @param owned what this process has at the moment of a join. */
export const stickyAssigner =
  (owned: () => Ownership): PartitionAssigner =>
  ({ cluster }) => ({
    name: 'TributaryStickyPairs',
    version,
    async assign({ members, topics }) {
      const countOf = (topic: string) => cluster.findTopicPartitionMetadata(topic).length;
      const counts = new Map(topics.map((topic) => [topic, countOf(topic)]));
      const before = members.map(({ memberId, memberMetadata }) => ({
        memberId,
        ...decodeOwnership(AssignerProtocol.MemberMetadata.decode(memberMetadata)?.userData),
      }));
      const taken = assignNumbers(before, Math.max(0, ...counts.values()));
      return [...taken].map(([memberId, numbers]) => ({
        memberId,
        memberAssignment: AssignerProtocol.MemberAssignment.encode({
          version,
          assignment: Object.fromEntries(
            topics.map((topic) => [topic, numbers.filter((number) => number < (counts.get(topic) ?? 0))]),
          ),
          userData: Buffer.alloc(0),
        }),
      }));
    },
    protocol({ topics }) {
      const userData = encodeOwnership(owned());
      return { name: this.name, metadata: AssignerProtocol.MemberMetadata.encode({ version, topics, userData }) };
    },
  });
