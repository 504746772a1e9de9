import { type AuditRecord, type RecordName, topics } from '@tributary/contracts';
import { operatedRecord } from '@tributary/domain';
import { type ControlTableName, type ControlTables, controlTopics } from './control-table.js';
import type { Change, Plan } from './plan.js';

export interface ControlWriterPorts {
  readonly tables: ControlTables;
  readonly encode: (topic: string, record: RecordName, value: object) => Promise<Buffer>;
  readonly send: (record: { topic: string; key: string; value: Buffer | null }) => Promise<unknown>;
  readonly audit: (record: AuditRecord) => Promise<void>;
  readonly nowMs: () => number;
  readonly actor: string;
}

/** Somebody changed the row since it was planned. */
export class StalePlan extends Error {
  override readonly name = 'StalePlan';
  constructor(change: Change) {
    super(`${change.table} ${change.id} was changed by someone else meanwhile; plan again`);
  }
}

/** Writes control topics. Every change is audited with who and why. */
export class ControlWriter {
  constructor(private readonly ports: ControlWriterPorts) {}

  /** @throws StalePlan before anything of that change is written. */
  async apply(plan: Plan, reason: string): Promise<void> {
    for (const change of plan.changes) await this.applyChange(change, reason);
  }

  /** Ends a suspension: the connection's records flow again. */
  async resume(connectionId: string, reason: string): Promise<void> {
    await this.ports.send({ topic: topics.suspensions.name, key: connectionId, value: null });
    const row = this.ports.tables.connections.get(connectionId);
    await this.tell('resumed', `connection:${connectionId}`, reason, row?.tenant, String(this.ports.nowMs()));
  }

  private async applyChange(change: Change, reason: string): Promise<void> {
    this.refuseStale(change);
    const { topic, record } = controlTopics[change.table];
    const value = change.row === null ? null : await this.ports.encode(topic.name, record, change.row);
    await this.ports.send({ topic: topic.name, key: change.id, value });
    const act = change.act === 'delete' ? 'removed' : 'applied';
    await this.tell(
      act,
      `${kindOf[change.table]}:${change.id}`,
      reason,
      change.tenant,
      // Versions begin anew after a removal; with the moment they never name two acts alike.
      change.row ? `${change.row.version}@${change.row.updatedAt}` : String(this.ports.nowMs()),
    );
  }

  private refuseStale(change: Change): void {
    const present = this.ports.tables[change.table].get(change.id);
    if ((present?.version ?? 0) !== change.seen) throw new StalePlan(change);
  }

  private async tell(
    action: 'applied' | 'removed' | 'resumed',
    entity: string,
    reason: string,
    tenant: string | undefined,
    identity: string,
  ): Promise<void> {
    const { actor, nowMs, audit } = this.ports;
    await audit(operatedRecord({ action, entity, reason, tenant, identity, actor, occurredAtMs: nowMs() }));
  }
}

const kindOf: Readonly<Record<Exclude<ControlTableName, 'suspensions'>, string>> = {
  connections: 'connection',
  subscriptions: 'subscription',
  apiKeys: 'api-key',
};
