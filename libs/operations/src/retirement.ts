import { randomUUID } from 'node:crypto';
import type { LedgerMonth, LedgerMonths, LegalHolds } from '@tributary/persistence';
import type { Act } from './dead-letters.js';
import { type RetirementLog } from './retirement-log.js';

export interface RetirementPorts {
  readonly months: Pick<LedgerMonths, 'list' | 'isHeld' | 'detach'>;
  readonly holds: Pick<LegalHolds, 'list'>;
  readonly log: Pick<RetirementLog, 'finish' | 'record'>;
  readonly nowMs: () => number;
  /** So many whole months are kept besides the present one. */
  readonly keepMonths: number;
}

export interface RetirablePlan {
  readonly months: readonly LedgerMonth[];
  /** Why a month that was asked for stays. */
  readonly refusals: readonly { readonly month: string; readonly why: string }[];
}

/** Takes months out of the ledger whose time is over. */
export class Retirement {
  constructor(private readonly ports: RetirementPorts) {}

  /** @param before a month: those before it are asked for. */
  async plan(before: string): Promise<RetirablePlan> {
    const months: LedgerMonth[] = [];
    const refusals: { month: string; why: string }[] = [];
    const holds = await this.ports.holds.list();
    const firstKept = monthsBack(this.ports.nowMs(), this.ports.keepMonths);
    for (const one of await this.ports.months.list()) {
      if (one.month >= before) continue;
      const why = one.month >= firstKept ? this.kept(firstKept) : await this.whyHeld(one.month, holds);
      if (why === undefined) months.push(one);
      else refusals.push({ month: one.month, why });
    }
    return { months, refusals };
  }

  private kept(firstKept: string): string {
    return `the ledger keeps ${this.ports.keepMonths} months, ${firstKept} is the first of them`;
  }

  private async whyHeld(month: string, holds: Awaited<ReturnType<LegalHolds['list']>>): Promise<string | undefined> {
    for (const hold of holds) {
      if (!(await this.ports.months.isHeld(month, hold))) continue;
      return `it has records of ${hold.tenant} that the legal hold ${hold.id} keeps (${hold.reason})`;
    }
    return undefined;
  }

  /** @returns the tables that the months are in now. */
  async run(plan: RetirablePlan, { actor, reason }: Pick<Act, 'actor' | 'reason'>): Promise<string[]> {
    await this.ports.log.finish();
    const tables: string[] = [];
    for (const { month } of plan.months) {
      const act = { id: randomUUID(), what: `ledger-month:${month}`, actor, reason };
      await this.ports.log.record(act, async () => {
        tables.push(await this.ports.months.detach(month, act.id));
      });
    }
    return tables;
  }
}

/** The month that many months before the one of a moment. */
function monthsBack(nowMs: number, months: number): string {
  const now = new Date(nowMs);
  return new Date(Date.UTC(now.getUTCFullYear(), now.getUTCMonth() - months, 1)).toISOString().slice(0, 7);
}
