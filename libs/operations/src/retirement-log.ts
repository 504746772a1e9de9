import { operatedRecord } from '@tributary/domain';
import { type RetiredRows, type RetirementAct, retirementEntity } from '@tributary/persistence';
import type { AuditTrail } from '@tributary/pipeline';

export interface RetirementLogPorts {
  readonly rows: Pick<RetiredRows, 'begin' | 'untold' | 'told' | 'seal'>;
  readonly audit: Pick<AuditTrail, 'write'>;
  readonly nowMs: () => number;
}

/** Writes down what was retired: the act before, and how many rows with which hashes after, in the ledger itself. */
export class RetirementLog {
  constructor(private readonly ports: RetirementLogPorts) {}

  async record(act: RetirementAct, work: () => Promise<void>): Promise<void> {
    await this.ports.rows.begin(act);
    await work();
    await this.tell(act);
  }

  /** Tells of acts that were stopped half-way: what they took is gone, and must not be without a record. */
  async finish(): Promise<void> {
    for (const act of await this.ports.rows.untold()) await this.tell(act);
  }

  private async tell({ id, what, actor, reason }: RetirementAct): Promise<void> {
    const { rows, digest } = await this.ports.rows.seal(id);
    await this.ports.audit.write(
      operatedRecord({
        action: 'retired',
        entity: retirementEntity(id),
        reason,
        actor,
        occurredAtMs: this.ports.nowMs(),
        identity: id,
        details: { retired: what, rows: String(rows), digest },
      }),
    );
    await this.ports.rows.told(id);
  }
}
