import { randomUUID } from 'node:crypto';
import { operatedRecord } from '@tributary/domain';
import {
  leastRetentionDays,
  type PolicyScope,
  type RetentionPolicies,
  type RetentionPolicy,
  type RetirableCount,
  type RetiredRows,
} from '@tributary/persistence';
import type { AuditTrail } from '@tributary/pipeline';
import type { Act } from './dead-letters.js';
import type { RetirementLog } from './retirement-log.js';

export interface RetentionPorts {
  readonly policies: Pick<RetentionPolicies, 'list' | 'set' | 'remove' | 'count'>;
  readonly rows: Pick<RetiredRows, 'retire'>;
  readonly log: Pick<RetirementLog, 'finish' | 'record'>;
  readonly audit: Pick<AuditTrail, 'write'>;
  readonly nowMs: () => number;
}

export interface RetentionStep extends RetirableCount {
  readonly policy: RetentionPolicy;
  /** Rows of before this time are over. */
  readonly before: Date;
}

type By = Pick<Act, 'actor' | 'reason'>;

const dayMs = 86_400_000;
const mostDays = 36_500;

export class BadRetention extends Error {
  override readonly name = 'BadRetention';
}

/** How long the ledger keeps which rows, and taking out those whose time is over. */
export class Retention {
  constructor(private readonly ports: RetentionPorts) {}

  /** @param days undefined: as long as the months are kept. @throws BadRetention */
  async set(scope: PolicyScope, days: number | undefined, by: By): Promise<void> {
    const name = nameOf(scope);
    if (days === undefined) {
      if (!(await this.ports.policies.remove(scope))) throw new BadRetention(`there is no policy for ${name}`);
    } else {
      if (!Number.isSafeInteger(days) || days < leastRetentionDays || days > mostDays) {
        throw new BadRetention(
          `${days} is no number of days from ${leastRetentionDays} to ${mostDays}: a proof or a repeat may need younger rows`,
        );
      }
      await this.ports.policies.set({ ...scope, days, setBy: by.actor, reason: by.reason });
    }
    const occurredAtMs = this.ports.nowMs();
    await this.ports.audit.write(
      operatedRecord({
        action: 'retention-set',
        entity: `retention:${name}`,
        reason: by.reason,
        actor: by.actor,
        occurredAtMs,
        identity: String(occurredAtMs),
        details: { days: days === undefined ? 'as the months' : String(days) },
        ...(scope.tenant !== '' && { tenant: scope.tenant }),
      }),
    );
  }

  /** What would go now. */
  async plan(): Promise<RetentionStep[]> {
    const steps: RetentionStep[] = [];
    for (const policy of await this.ports.policies.list()) {
      const before = new Date(this.ports.nowMs() - policy.days * dayMs);
      steps.push({ policy, before, ...(await this.ports.policies.count(policy, before)) });
    }
    return steps;
  }

  /** Takes out what the plan says, and what legal holds do not keep by now. @returns how many rows went. */
  async run(steps: readonly RetentionStep[], { actor, reason }: By): Promise<number> {
    await this.ports.log.finish();
    let total = 0;
    for (const { policy, before, rows } of steps) {
      if (rows === 0) continue;
      const id = randomUUID();
      const what = `retention:${nameOf(policy)} before ${before.toISOString()}`;
      await this.ports.log.record({ id, what, actor, reason }, async () => {
        total += await this.ports.rows.retire(id, policy, before);
      });
    }
    return total;
  }
}

const nameOf = ({ tenant, class: recordClass }: PolicyScope): string =>
  `${tenant === '' ? '*' : tenant}/${recordClass}`;
