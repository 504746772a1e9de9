import type { Suspension } from '@tributary/contracts';
import { activeSuspension } from '@tributary/control';
import { rootOf } from '@tributary/kafka';
import type { ConnectorPorts, ScopeBudget } from '@tributary/pipeline';
import type { Metrics } from '@tributary/telemetry';

/** A series for every connection would be too many: those that run out first are the ones to know. */
const mostBudgets = 20;

/** Counts attempts, and how deliveries end. */
export function deliveryObserver(
  metrics: Pick<Metrics, 'add' | 'record'>,
  destination: string,
): Pick<ConnectorPorts, 'onAttempt' | 'onEnd'> {
  // Exported from the beginning: a rate over a counter that begins with its first event misses that event.
  for (const outcome of ['delivered', 'unavailable'] as const)
    metrics.add('delivery.attempts', 0, { destination, outcome });
  return {
    onAttempt: (outcome, durationMs) => {
      metrics.add('delivery.attempts', 1, { destination, outcome });
      metrics.record('delivery.attempt.duration', durationMs / 1000, { destination, outcome });
    },
    onEnd: (outcome, sinceAcceptedMs) =>
      metrics.record('delivery.duration', sinceAcceptedMs / 1000, { destination, outcome }),
  };
}

export interface ObservedConnections {
  readonly destination: string;
  /** Of every destination, by connection. */
  readonly suspensions: () => ReadonlyMap<string, Suspension>;
  readonly destinationOf: (connection: string) => string | null | undefined;
  readonly budgets: (most: number) => readonly ScopeBudget[];
  readonly nowMs: () => number;
}

/** Says at each scrape which connections wait for a person, and what is left of budgets. */
export function observeConnections(metrics: Pick<Metrics, 'observe'>, parts: ObservedConnections): void {
  const { destination, suspensions, destinationOf, budgets, nowMs } = parts;
  metrics.observe('connections.suspended', () => {
    const ours = [...suspensions()].filter(
      ([id, row]) => destinationOf(id) === destination && activeSuspension(row, nowMs()) !== undefined,
    );
    return [[ours.length, { destination }]];
  });
  const labelsOf = ({ scope }: ScopeBudget) => ({ destination, connection: rootOf(scope) });
  metrics.observe('connection.budget.left', () =>
    leastOfEach(budgets(mostBudgets)).map((one) => [one.calls, labelsOf(one)]),
  );
  metrics.observe('connection.budget.reset', () =>
    leastOfEach(budgets(mostBudgets)).flatMap((one) =>
      one.resetInMs === undefined ? [] : [[one.resetInMs / 1000, labelsOf(one)] as const],
    ),
  );
}

/** Of the parts of a connection the one that has least: two values under the same labels would be one, whichever came last. */
function leastOfEach(budgets: readonly ScopeBudget[]): ScopeBudget[] {
  const least = new Map<string, ScopeBudget>();
  for (const budget of budgets) if (!least.has(rootOf(budget.scope))) least.set(rootOf(budget.scope), budget);
  return [...least.values()];
}
