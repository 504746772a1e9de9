/** What the queue must know of a lane. */
interface ReadyLane<L> {
  /** Of the lane, from head to tail. */
  readonly records: number;
  nextReady: L | undefined;
}

/** So many records make a lane a long one. */
const longLane = 16;

/**
 * The lanes of a partition that may go on. A hot key is the longest chain of work there is: were it to wait its turn among thousands
 * of lanes with one record each, it would still be busy long after them, and its records would fill the window meanwhile. So long
 * lanes and the others go in turn: neither can starve the other.
 */
export class ReadyLanes<L extends ReadyLane<L>> {
  private readonly long = new LaneQueue<L>();
  private readonly others = new LaneQueue<L>();
  private isLongsTurn = true;

  get isEmpty(): boolean {
    return this.long.isEmpty && this.others.isEmpty;
  }

  push(lane: L): void {
    (lane.records >= longLane ? this.long : this.others).push(lane);
  }

  take(): L | undefined {
    const isLongsTurn = this.isLongsTurn;
    this.isLongsTurn = !isLongsTurn;
    return isLongsTurn ? (this.long.shift() ?? this.others.shift()) : (this.others.shift() ?? this.long.shift());
  }

  clear(): void {
    this.long.clear();
    this.others.clear();
  }
}

/** First in, first out; a lane is in one queue at a time. */
class LaneQueue<L extends ReadyLane<L>> {
  private first: L | undefined;
  private last: L | undefined;

  get isEmpty(): boolean {
    return this.first === undefined;
  }

  push(lane: L): void {
    lane.nextReady = undefined;
    if (this.last) this.last.nextReady = lane;
    else this.first = lane;
    this.last = lane;
  }

  shift(): L | undefined {
    const lane = this.first;
    if (!lane) return undefined;
    this.first = lane.nextReady;
    if (!this.first) this.last = undefined;
    lane.nextReady = undefined;
    return lane;
  }

  clear(): void {
    this.first = undefined;
    this.last = undefined;
  }
}
