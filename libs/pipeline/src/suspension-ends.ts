import type { Suspension } from '@tributary/contracts';
import type { ControlTable } from '@tributary/control';
import type { Logger } from '@tributary/telemetry';

export interface SuspensionEndsPorts {
  readonly table: Pick<ControlTable<Suspension>, 'all' | 'get' | 'onChange'>;
  readonly nowMs: () => number;
  /** Runs once after the time; cancelled by what it returns. */
  readonly after: (ms: number, act: () => void) => () => void;
  /** Lets what waits for the connection look again. True when something of it waited in this process. */
  readonly resume: (connectionId: string) => boolean;
  /** Takes the row away, so that everybody sees that it is over. */
  readonly clear: (row: Suspension) => Promise<void>;
  readonly logger: Logger;
}

/** Longer than that no timer of Node's waits. */
const longestTimerMs = 2 ** 31 - 1;

/** Resumes connections: those whose suspension was taken away, and those whose suspension ends at a time, also over restarts. */
export class SuspensionEnds {
  private readonly timers = new Map<string, () => void>();

  constructor(private readonly ports: SuspensionEndsPorts) {
    for (const [id, row] of ports.table.all()) this.arm(id, row);
    ports.table.onChange((id, row) => {
      this.disarm(id);
      if (row) this.arm(id, row);
      else ports.resume(id);
    });
  }

  stop(): void {
    for (const id of [...this.timers.keys()]) this.disarm(id);
  }

  private arm(id: string, { until }: Suspension): void {
    if (until === null) return;
    const waitMs = until - this.ports.nowMs();
    this.timers.set(
      id,
      this.ports.after(Math.min(Math.max(0, waitMs), longestTimerMs), () => this.due(id)),
    );
  }

  private due(id: string): void {
    this.timers.delete(id);
    const row = this.ports.table.get(id);
    if (!row || row.until === null) return;
    if (row.until > this.ports.nowMs()) {
      this.arm(id, row);
      return;
    }
    // Its row is taken away by the process in which its records waited: readers go by the time, whether it is there or not.
    if (!this.ports.resume(id)) return;
    this.ports.clear(row).catch((error: unknown) => {
      this.ports.logger.warn({ error, connection: id }, 'suspension.row-stays: it is over all the same');
    });
  }

  private disarm(id: string): void {
    this.timers.get(id)?.();
    this.timers.delete(id);
  }
}
