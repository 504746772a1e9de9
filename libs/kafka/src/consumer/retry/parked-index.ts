import { isHolding, type ParkedCopy } from './parked-copy.js';

/** The outstanding copies of one partition: which records of which lanes are parked. One copy for each origin. */
export class ParkedIndex {
  private readonly byOrigin = new Map<number, ParkedCopy>();
  private readonly byOffset = new Map<number, ParkedCopy>();
  /** Of each lane by origin, smallest first. */
  private readonly lanes = new Map<string, ParkedCopy[]>();
  private highest = -1;

  get size(): number {
    return this.byOrigin.size;
  }

  /** Highest origin that was ever outstanding in this ownership; -1 when none was. */
  get highestOrigin(): number {
    return this.highest;
  }

  laneKeys(): Iterable<string> {
    return this.lanes.keys();
  }

  ofOrigin(origin: number): ParkedCopy | undefined {
    return this.byOrigin.get(origin);
  }

  atOffset(offset: number): ParkedCopy | undefined {
    return this.byOffset.get(offset);
  }

  /** The copy that must be settled before any other of its lane. */
  headOf(lane: string): ParkedCopy | undefined {
    return this.lanes.get(lane)?.[0];
  }

  highestOf(lane: string): ParkedCopy | undefined {
    return this.lanes.get(lane)?.at(-1);
  }

  /** The copy that keeps the watermark of the retry partition where it is. */
  oldest(): ParkedCopy | undefined {
    let oldest: ParkedCopy | undefined;
    for (const copy of this.byOffset.values()) if (!oldest || copy.offset < oldest.offset) oldest = copy;
    return oldest;
  }

  /** At most so many that were appended before. */
  appendedBefore(limitMs: number, count: number): ParkedCopy[] {
    const old: ParkedCopy[] = [];
    for (const copy of this.byOffset.values()) {
      if (old.length >= count) break;
      if (copy.appendedMs < limitMs) old.push(copy);
    }
    return old;
  }

  add(copy: ParkedCopy): void {
    this.byOrigin.set(copy.origin, copy);
    this.byOffset.set(copy.offset, copy);
    if (copy.origin > this.highest) this.highest = copy.origin;
    const lane = this.lanes.get(copy.lane);
    if (!lane) {
      this.lanes.set(copy.lane, [copy]);
      return;
    }
    let at = lane.length;
    while (at > 0 && (lane[at - 1] as ParkedCopy).origin > copy.origin) at -= 1;
    lane.splice(at, 0, copy);
  }

  remove(copy: ParkedCopy): void {
    if (this.byOrigin.get(copy.origin) === copy) this.byOrigin.delete(copy.origin);
    this.byOffset.delete(copy.offset);
    const lane = this.lanes.get(copy.lane);
    const at = lane?.indexOf(copy) ?? -1;
    if (!lane || at < 0) return;
    lane.splice(at, 1);
    if (lane.length === 0) this.lanes.delete(copy.lane);
  }

  holds(): ParkedCopy[] {
    return [...this.byOrigin.values()].filter(isHolding);
  }

  isHeldByDeadLetter(lane: string): boolean {
    const head = this.headOf(lane);
    return head !== undefined && isHolding(head);
  }

  earliestDueMs(): number | undefined {
    let earliest: number | undefined;
    for (const copy of this.byOrigin.values()) {
      if (!isHolding(copy) && (earliest === undefined || copy.dueMs < earliest)) earliest = copy.dueMs;
    }
    return earliest;
  }

  /** Of lanes that a dead letter holds, or of the others. Undefined: none was attempted. */
  oldestFailureMs(isHeldByDeadLetter: boolean): number | undefined {
    let oldest: number | undefined;
    for (const copies of this.lanes.values()) {
      if (isHolding(copies[0] as ParkedCopy) !== isHeldByDeadLetter) continue;
      for (const { firstFailureMs } of copies)
        if (firstFailureMs !== undefined && (oldest === undefined || firstFailureMs < oldest)) oldest = firstFailureMs;
    }
    return oldest;
  }

  /** The head of each lane, and how many are parked of it. */
  heads(): { readonly copy: ParkedCopy; readonly records: number }[] {
    return [...this.lanes.values()].map((copies) => ({ copy: copies[0] as ParkedCopy, records: copies.length }));
  }
}
