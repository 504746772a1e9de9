export const destinations = 3;

/** More events than any run sends. */
const capacity = 1_000_000;

/** Milliseconds on a clock that all threads of this process share; `performance.now()` counts from each thread's own start. */
export const nowMs = (): number => Number(process.hrtime.bigint()) / 1e6;

interface SharedArrivals {
  readonly times: SharedArrayBuffer;
  readonly counts: SharedArrayBuffer;
}

/** When each event reached each destination. The receiver's thread writes, the load's thread reads: no message costs CPU. */
export class Arrivals {
  readonly shared: SharedArrivals;
  private readonly times: Float64Array;
  /** Distinct deliveries, repeats, requests that are none of the run's. */
  private readonly counts: Int32Array;

  constructor(shared?: SharedArrivals) {
    this.shared = shared ?? {
      times: new SharedArrayBuffer(capacity * destinations * Float64Array.BYTES_PER_ELEMENT),
      counts: new SharedArrayBuffer(3 * Int32Array.BYTES_PER_ELEMENT),
    };
    this.times = new Float64Array(this.shared.times);
    this.counts = new Int32Array(this.shared.counts);
  }

  get delivered(): number {
    return Atomics.load(this.counts, 0);
  }

  get repeated(): number {
    return Atomics.load(this.counts, 1);
  }

  get strange(): number {
    return Atomics.load(this.counts, 2);
  }

  note(event: number, destination: number, atMs: number): void {
    const isKnown = event >= 0 && event < capacity && destination >= 0 && destination < destinations;
    if (!isKnown) {
      Atomics.add(this.counts, 2, 1);
      return;
    }
    const at = event * destinations + destination;
    const isFirst = this.times[at] === 0;
    if (isFirst) this.times[at] = atMs;
    Atomics.add(this.counts, isFirst ? 0 : 1, 1);
  }

  /** How many destinations have it. */
  reached(event: number): number {
    return this.of(event).filter((at) => at > 0).length;
  }

  /** When the last destination was called; undefined while one was not. */
  lastMs(event: number): number | undefined {
    const times = this.of(event);
    return times.every((at) => at > 0) ? Math.max(...times) : undefined;
  }

  private of(event: number): Float64Array {
    return this.times.subarray(event * destinations, (event + 1) * destinations);
  }
}
