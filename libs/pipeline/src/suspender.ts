import { type Suspension, topics } from '@tributary/contracts';
import { activeSuspension, type ControlTable } from '@tributary/control';
import { operatedRecord } from '@tributary/domain';
import type { AuditTrail } from './audit-trail.js';
import type { RecordCodec, RecordWriter, Surroundings } from './ports.js';

export interface SuspenderPorts {
  readonly table: Pick<ControlTable<Suspension>, 'get' | 'onChange'>;
  readonly codec: Pick<RecordCodec, 'encode'>;
  readonly writer: RecordWriter;
  readonly audit: AuditTrail;
  readonly surroundings: Pick<Surroundings, 'nowMs'>;
  readonly actor: string;
}

/** Makes known that a connection waits for a person: in the control topic, to operators, and in the audit trail. */
export class Suspender {
  private readonly running = new Map<string, Promise<void>>();

  constructor(private readonly ports: SuspenderPorts) {
    // Our own row comes back to us a little later: until then others that fail must not write it again.
    ports.table.onChange((connectionId) => this.running.delete(connectionId));
  }

  /**
   * Durable when it returns. Many records of one connection fail at once; it is suspended once.
   * @param untilMs epoch milliseconds at which it ends by itself; undefined: a person must end it.
   */
  suspend(connectionId: string, tenant: string, reason: string, untilMs?: number): Promise<void> {
    const { table, surroundings } = this.ports;
    if (activeSuspension(table.get(connectionId), surroundings.nowMs())) return Promise.resolve();
    const running = this.running.get(connectionId);
    if (running) return running;
    const suspending = this.write(connectionId, tenant, reason, untilMs).catch((error: unknown) => {
      this.running.delete(connectionId);
      throw error;
    });
    this.running.set(connectionId, suspending);
    return suspending;
  }

  /** Takes away the row of a suspension that has ended by itself. */
  async clear({ connectionId, reason, until }: Suspension): Promise<void> {
    const { writer, audit, surroundings, actor } = this.ports;
    await writer.send({ topic: topics.suspensions.name, key: connectionId, value: null });
    await audit.write(
      operatedRecord({
        action: 'resumed',
        entity: `connection:${connectionId}`,
        connectionId,
        reason: `its time was over: ${reason}`,
        actor,
        occurredAtMs: surroundings.nowMs(),
        identity: String(until),
      }),
    );
  }

  private async write(connectionId: string, tenant: string, reason: string, until: number | undefined): Promise<void> {
    const { codec, writer, audit, surroundings, actor } = this.ports;
    const nowMs = surroundings.nowMs();
    const row: Suspension = {
      connectionId,
      reason,
      suspendedBy: actor,
      suspendedAt: nowMs,
      until: until ?? null,
      version: 1,
    };
    const value = await codec.encode(topics.suspensions.name, 'tributary.control.Suspension', row);
    const whatToDo =
      until === undefined
        ? `Mend it, then run: tributary resume ${connectionId}`
        : `It goes on by itself at ${new Date(until).toISOString()}`;
    const event = {
      kind: 'connection.suspended',
      severity: until === undefined ? 'critical' : 'warning',
      subject: connectionId,
      message: `connection ${connectionId} is suspended: ${reason}. ${whatToDo}`,
      tenant,
      occurredAt: nowMs,
      details: {},
    };
    const notice = await codec.encode(topics.operations.name, 'tributary.operations.OperationsEvent', event);
    await writer.send({ topic: topics.operations.name, key: connectionId, value: notice, timestampMs: nowMs });
    await audit.write(
      operatedRecord({
        action: 'suspended',
        entity: `connection:${connectionId}`,
        connectionId,
        tenant,
        reason,
        actor,
        occurredAtMs: nowMs,
        identity: String(nowMs),
      }),
    );
    // Last: once the row is there nobody writes the rest any more.
    await writer.send({ topic: topics.suspensions.name, key: connectionId, value, timestampMs: nowMs });
  }
}
