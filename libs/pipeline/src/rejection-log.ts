import { rejectedRecord } from '@tributary/domain';
import type { AuditTrail } from './audit-trail.js';

export interface Rejection {
  readonly tenant?: string;
  readonly source?: string;
  readonly connectionId: string;
  readonly status: number;
  readonly code: string;
  readonly reason: string;
  readonly payloadDigest: string;
}

export interface RejectionLogPorts {
  readonly audit: AuditTrail;
  readonly actor: string;
  readonly nowMs: () => number;
  /** A rejection that could not be written: counted and logged, because it must not make the answer wait. */
  readonly onLost: (rejection: Rejection, error: unknown) => void;
}

interface Kind {
  windowStartMs: number;
  written: number;
  suppressed: number;
}

const windowMs = 10_000;
const writtenPerWindow = 10;
const mostKinds = 1_000;

/**
 * Writes refused requests to the audit trail by rule: per connection and code the first ten in ten seconds, each
 * saying for how many it stands. Whoever floods us with forged requests must not fill the ledger.
 */
export class RejectionLog {
  private readonly kinds = new Map<string, Kind>();

  constructor(private readonly ports: RejectionLogPorts) {}

  note(rejection: Rejection): void {
    const now = this.ports.nowMs();
    // Whoever is not known may make names up without end: all of them are of one kind.
    const who = rejection.tenant === undefined ? '' : rejection.connectionId;
    const kind = this.kindOf(`${who} ${rejection.code}`, now);
    if (kind.written >= writtenPerWindow) {
      kind.suppressed += 1;
      return;
    }
    const count = 1 + kind.suppressed;
    kind.written += 1;
    kind.suppressed = 0;
    const fact = rejectedRecord({ ...rejection, actor: this.ports.actor, occurredAtMs: now, count });
    this.ports.audit.write(fact).catch((error: unknown) => this.ports.onLost(rejection, error));
  }

  private kindOf(name: string, now: number): Kind {
    const known = this.kinds.get(name);
    if (known && now - known.windowStartMs < windowMs) return known;
    if (this.kinds.size >= mostKinds) this.kinds.clear();
    const fresh = { windowStartMs: now, written: 0, suppressed: known?.suppressed ?? 0 };
    this.kinds.set(name, fresh);
    return fresh;
  }
}
