import { deliveryHeaders } from '@tributary/contracts';
import {
  askBreaker,
  askBudget,
  type BreakerRules,
  type BreakerState,
  type BudgetLeft,
  type BudgetState,
  beginProbe,
  budgetLeft,
  type CallVerdict,
  type DeliveryOutcome,
  fullBudget,
  noteCall,
  type ObservedBudget,
  observeBudget,
  type RateBudget,
  spend,
  workingBreaker,
} from '@tributary/domain';
import { concerns, type GateOrder, type GatePolicy, type IncomingRecord } from '@tributary/kafka';

/** What a connection may do at most. */
export interface ConnectionLimits {
  readonly maxInFlight: number;
  readonly rate: RateBudget | undefined;
  readonly breaker: BreakerRules;
}

export interface ConnectionGatesParts {
  readonly limitsOf: (connectionId: string, operation: string) => ConnectionLimits;
  /** By what the vendor limits the delivery. */
  readonly scopeOf: (record: IncomingRecord) => string;
  readonly random: () => number;
  /** The breaker of a connection opened until a time, or with undefined closed again. */
  readonly onBreaker: (connectionId: string, openUntilMs: number | undefined) => void;
}

export interface CallResult {
  readonly outcome: DeliveryOutcome;
  /** What the answer said about the budget that is left. */
  readonly budget?: ObservedBudget;
}

export interface ScopeBudget extends BudgetLeft {
  readonly scope: string;
}

interface Pause {
  readonly scope: string;
  untilMs: number;
}

interface Account {
  readonly id: string;
  underWay: number;
  /** Somebody was sent away because all places are taken. */
  isWaitedFor: boolean;
  breaker: BreakerState;
  probe: IncomingRecord | undefined;
}

const askAgainMs = 60_000;
/** For the settlement of an ended attempt to be carried out. */
const handOverMs = 1_000;
/** Budgets above which the ones that are full, and so say nothing, are forgotten. */
const manyBudgets = 10_000;

/**
 * Rate, concurrency and breaker of each connection. An account lives in one partition and so in one process: its state is exact
 * though it is plain memory.
 */
export class ConnectionGates implements GatePolicy {
  private readonly accounts = new Map<string, Account>();
  private readonly budgets = new Map<string, BudgetState>();
  private readonly verdicts = new WeakMap<IncomingRecord, CallVerdict>();
  /** What answers asked for, by connection, until their settlement has closed a gate. */
  private readonly pauses = new Map<string, Map<IncomingRecord, Pause>>();

  constructor(private readonly parts: ConnectionGatesParts) {}

  admit(record: IncomingRecord, scope: string, nowMs: number): GateOrder | undefined {
    const id = record.headers[deliveryHeaders.connectionId];
    // No delivery: the handler will say so without calling anybody.
    if (!id) return undefined;
    const account = this.accountOf(id);
    const { maxInFlight, rate } = this.parts.limitsOf(id, record.headers[deliveryHeaders.operation] ?? '');
    if (account.underWay >= maxInFlight) {
      account.isWaitedFor = true;
      const reason = `${maxInFlight} attempts of the connection are under way`;
      return { scope: id, kind: 'busy', untilMs: Number.POSITIVE_INFINITY, reason };
    }
    const pause = this.pauseOf(id, scope, nowMs);
    if (pause) return pause;
    const budget = this.budgetOf(scope, rate, nowMs);
    const budgetMs = budget && askBudget(budget, nowMs);
    if (budgetMs !== undefined) {
      // Asking costs nothing, and its rate may be changed while it waits.
      return { scope, kind: 'budget', untilMs: Math.min(budgetMs, nowMs + askAgainMs), reason: 'its rate is used up' };
    }
    const order = this.askBreaker(account, record, nowMs);
    if (order) return order;
    account.underWay += 1;
    if (budget) this.budgets.set(scope, spend(budget, nowMs));
    return undefined;
  }

  /** The connections, or parts of them, that have least of their budgets left. */
  leastBudgets(most: number, nowMs: number): ScopeBudget[] {
    const left: ScopeBudget[] = [];
    for (const [scope, state] of this.budgets) {
      const budget = budgetLeft(state, nowMs);
      if (budget) left.push({ scope, ...budget });
    }
    return left.sort((a, b) => a.calls - b.calls || (a.scope < b.scope ? -1 : 1)).slice(0, most);
  }

  /** What came of a call. An attempt about which nothing is noted made none. */
  note(record: IncomingRecord, { outcome, budget }: CallResult, nowMs: number): void {
    this.verdicts.set(record, verdictOn(outcome));
    if (budget) this.observe(record, budget, nowMs);
    // Its settlement closes the gate as well, but only after it was written down: others would be sent meanwhile.
    if (outcome.kind === 'throttled') this.pause(record, nowMs + outcome.retryAfterMs);
  }

  private pause(record: IncomingRecord, untilMs: number): void {
    const id = record.headers[deliveryHeaders.connectionId] ?? '';
    const pauses = this.pauses.get(id) ?? new Map<IncomingRecord, Pause>();
    this.pauses.set(id, pauses.set(record, { scope: this.parts.scopeOf(record), untilMs }));
  }

  /** From here on the gate that its settlement closes is what counts: a person may end that earlier. */
  private handOver(id: string, record: IncomingRecord, nowMs: number): void {
    const pause = this.pauses.get(id)?.get(record);
    if (pause) pause.untilMs = Math.min(pause.untilMs, nowMs + handOverMs);
  }

  private pauseOf(id: string, scope: string, nowMs: number): GateOrder | undefined {
    const pauses = this.pauses.get(id);
    if (!pauses) return undefined;
    for (const [record, pause] of pauses) {
      // A part that is not known waits for all parts; it asks again when the first of them is over.
      if (pause.untilMs <= nowMs) pauses.delete(record);
      else if (concerns(pause.scope, scope))
        return { scope, kind: 'budget', untilMs: pause.untilMs, reason: 'it was asked for a pause' };
    }
    if (pauses.size === 0) this.pauses.delete(id);
    return undefined;
  }

  private observe(record: IncomingRecord, observed: ObservedBudget, nowMs: number): void {
    const scope = this.parts.scopeOf(record);
    const id = record.headers[deliveryHeaders.connectionId] ?? '';
    const { rate } = this.parts.limitsOf(id, record.headers[deliveryHeaders.operation] ?? '');
    // The answer's own call is over and counted.
    const underWay = Math.max(0, (this.accounts.get(id)?.underWay ?? 0) - 1);
    const before = this.budgets.get(scope) ?? fullBudget(rate, nowMs);
    this.forgetFullOnes(nowMs);
    this.budgets.set(scope, observeBudget(before, observed, { underWay, nowMs }));
  }

  ended(record: IncomingRecord, _scope: string, nowMs: number): readonly GateOrder[] {
    const account = this.accounts.get(record.headers[deliveryHeaders.connectionId] ?? '');
    if (!account) return [];
    account.underWay -= 1;
    this.handOver(account.id, record, nowMs);
    const before = account.breaker;
    const { breaker: rules } = this.parts.limitsOf(account.id, record.headers[deliveryHeaders.operation] ?? '');
    const wasProbe = account.probe === record;
    if (wasProbe) account.probe = undefined;
    const verdict = this.verdicts.get(record) ?? 'unclear';
    account.breaker = noteCall(before, { verdict, wasProbe, nowMs, random: this.parts.random() }, rules);
    return this.ordersAfter(account, before, nowMs);
  }

  private ordersAfter(account: Account, before: BreakerState, nowMs: number): readonly GateOrder[] {
    const { id: scope, breaker } = account;
    if (breaker.kind === 'open') {
      if (before === breaker) return [];
      this.parts.onBreaker(scope, breaker.untilMs);
      return [{ scope, kind: 'breaker', untilMs: breaker.untilMs, reason: 'it failed too often' }];
    }
    if (breaker.kind === 'half-open') {
      // The probe showed nothing: another one.
      return breaker.isProbing ? [] : [{ scope, kind: 'breaker', untilMs: nowMs, reason: 'the probe was called off' }];
    }
    const isRepaired = before.kind !== 'closed';
    if (isRepaired) this.parts.onBreaker(scope, undefined);
    if (!isRepaired && !account.isWaitedFor) return [];
    account.isWaitedFor = false;
    return [{ scope, kind: 'busy', untilMs: nowMs, reason: 'there is room' }];
  }

  private askBreaker(account: Account, record: IncomingRecord, nowMs: number): GateOrder | undefined {
    const verdict = askBreaker(account.breaker, nowMs);
    if (verdict === 'go') return undefined;
    if (verdict === 'probe') {
      account.breaker = beginProbe(account.breaker);
      account.probe = record;
      return undefined;
    }
    const untilMs = verdict === 'await-probe' ? Number.POSITIVE_INFINITY : verdict.waitUntilMs;
    return { scope: account.id, kind: 'breaker', untilMs, reason: 'it failed too often' };
  }

  private accountOf(id: string): Account {
    const known = this.accounts.get(id);
    if (known) return known;
    const account = { id, underWay: 0, isWaitedFor: false, breaker: workingBreaker, probe: undefined };
    this.accounts.set(id, account);
    return account;
  }

  /** Undefined: nothing limits the scope. */
  private budgetOf(scope: string, rate: RateBudget | undefined, nowMs: number): BudgetState | undefined {
    const known = this.budgets.get(scope);
    if (!known) {
      if (!rate) return undefined;
      this.forgetFullOnes(nowMs);
      return fullBudget(rate, nowMs);
    }
    // The connection was given another rate meanwhile.
    return sameRate(known.rate, rate)
      ? known
      : { ...known, rate, tokens: rate ? Math.min(known.tokens, rate.burst) : 0 };
  }

  private forgetFullOnes(nowMs: number): void {
    if (this.budgets.size < manyBudgets) return;
    for (const [scope, { rate, tokens, atMs, observed }] of this.budgets) {
      const filled = rate ? tokens + ((nowMs - atMs) * rate.perSecond) / 1000 >= rate.burst : true;
      if (filled && !(observed && observed.resetMs > nowMs)) this.budgets.delete(scope);
    }
  }
}

const sameRate = (a: RateBudget | undefined, b: RateBudget | undefined): boolean =>
  a?.perSecond === b?.perSecond && a?.burst === b?.burst;

/** Who answers works, whatever the answer; what we called off ourselves tells nothing. */
function verdictOn(outcome: DeliveryOutcome): CallVerdict {
  if (outcome.kind !== 'unavailable' && outcome.kind !== 'unknown') return 'worked';
  return outcome.code === 'ABORTED' ? 'unclear' : 'failed';
}
