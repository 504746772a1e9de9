import type { OwnedPartition } from '../owned-partition.js';

export interface Finish {
  readonly lane: string;
  readonly origin: number;
  readonly isRetry: boolean;
  /** Of the partition that it was finished in: a commit of this version or a later one holds it. */
  readonly version: number;
}

const nothing: readonly Finish[] = [];

/** What this owner finished and no acknowledged commit holds yet. The lock of a key is released by the commit. */
export class UncommittedFinishes {
  private readonly lanes = new Map<string, Finish[]>();
  private readonly queues = { main: [] as Finish[], retry: [] as Finish[] };

  of(lane: string): readonly Finish[] {
    return this.lanes.get(lane) ?? nothing;
  }

  add(lane: string, origin: number, owner: OwnedPartition, isRetry: boolean): void {
    const finish = { lane, origin, isRetry, version: owner.version };
    this.queues[isRetry ? 'retry' : 'main'].push(finish);
    const ofLane = this.lanes.get(lane);
    if (ofLane) ofLane.push(finish);
    else this.lanes.set(lane, [finish]);
  }

  /** @returns the lanes that may go on now. */
  acknowledge(isRetry: boolean, version: number): Set<string> {
    const queue = this.queues[isRetry ? 'retry' : 'main'];
    const lanes = new Set<string>();
    let count = 0;
    for (const finish of queue) {
      if (finish.version > version) break;
      count += 1;
      lanes.add(finish.lane);
      this.drop(finish);
    }
    queue.splice(0, count);
    return lanes;
  }

  private drop(finish: Finish): void {
    const ofLane = this.lanes.get(finish.lane);
    if (!ofLane) return;
    if (ofLane.length === 1) this.lanes.delete(finish.lane);
    else ofLane.splice(ofLane.indexOf(finish), 1);
  }
}
