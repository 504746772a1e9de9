import type { Clock, ClockTimer } from '../connection/clock.js';

export interface HeapTimer {
  readonly atMs: number;
  readonly act: () => void;
  cancelled: boolean;
}

/** Many timers behind one of the clock's. None acts before its time, not by a millisecond. */
export class TimerHeap {
  private readonly heap: HeapTimer[] = [];
  private timer: { readonly atMs: number; readonly handle: ClockTimer } | undefined;

  constructor(private readonly clock: Clock) {}

  at(atMs: number, act: () => void): HeapTimer {
    const timer: HeapTimer = { atMs, act, cancelled: false };
    this.heap.push(timer);
    this.siftUp(this.heap.length - 1);
    this.arm();
    return timer;
  }

  /** Cancels all. */
  clear(): void {
    this.heap.length = 0;
    this.timer?.handle.cancel();
    this.timer = undefined;
  }

  private arm(): void {
    while (this.heap[0]?.cancelled) this.pop();
    const first = this.heap[0];
    if (!first) return;
    if (this.timer && this.timer.atMs <= first.atMs) return;
    this.timer?.handle.cancel();
    const handle = this.clock.after(first.atMs - this.clock.now(), () => this.fire());
    this.timer = { atMs: first.atMs, handle };
  }

  // The clock's timer may be early: whatever is not due yet is armed again.
  private fire(): void {
    this.timer = undefined;
    const nowMs = this.clock.now();
    const due: HeapTimer[] = [];
    while (this.heap[0] && (this.heap[0].cancelled || this.heap[0].atMs <= nowMs)) due.push(this.pop());
    for (const timer of due) if (!timer.cancelled) timer.act();
    this.arm();
  }

  private pop(): HeapTimer {
    const first = this.heap[0] as HeapTimer;
    const last = this.heap.pop() as HeapTimer;
    if (this.heap.length > 0) {
      this.heap[0] = last;
      this.siftDown(0);
    }
    return first;
  }

  private siftUp(from: number): void {
    for (let i = from; i > 0; ) {
      const parent = (i - 1) >> 1;
      if (this.atOf(parent) <= this.atOf(i)) return;
      this.swap(i, parent);
      i = parent;
    }
  }

  private siftDown(from: number): void {
    for (let i = from; ; ) {
      const left = 2 * i + 1;
      const right = left + 1;
      let least = i;
      if (left < this.heap.length && this.atOf(left) < this.atOf(least)) least = left;
      if (right < this.heap.length && this.atOf(right) < this.atOf(least)) least = right;
      if (least === i) return;
      this.swap(i, least);
      i = least;
    }
  }

  private atOf(index: number): number {
    return (this.heap[index] as HeapTimer).atMs;
  }

  private swap(a: number, b: number): void {
    const [first, second] = [this.heap[a] as HeapTimer, this.heap[b] as HeapTimer];
    this.heap[a] = second;
    this.heap[b] = first;
  }
}
