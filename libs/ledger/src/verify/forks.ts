import { type Checkpoint, originOf, signedAtOf } from '../checkpoint/checkpoint.js';
import type { Finding } from './finding.js';

/** Signed checkpoints of one tree and size that have different roots. */
export function forksIn(heads: Iterable<Checkpoint>): Finding[] {
  const findings: Finding[] = [];
  const first = new Map<string, Checkpoint>();
  for (const head of heads) {
    const place = `${originOf(head.tree)} ${head.size}`;
    const other = first.get(place) ?? head;
    first.set(place, other);
    if (other.root.equals(head.root)) continue;
    findings.push({
      flaw: 'forked',
      partition: head.tree.partition,
      what: `two different trees of ${head.size} rows were signed, at ${signedAtOf(other)} and at ${signedAtOf(head)}: whoever holds the key has told two stories`,
    });
  }
  return findings;
}
