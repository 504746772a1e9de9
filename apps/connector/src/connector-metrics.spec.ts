import { scopeWithin } from '@tributary/kafka';
import type { Metrics } from '@tributary/telemetry';
import { describe, expect, it } from 'vitest';
import { type ObservedConnections, observeConnections } from './connector-metrics.js';

function observed(parts: Partial<ObservedConnections>) {
  const read = new Map<string, () => Iterable<readonly [number, object?]>>();
  const observe: Metrics['observe'] = (name, values) => void read.set(name, values);
  observeConnections(
    { observe },
    {
      destination: 'slack',
      suspensions: () => new Map(),
      destinationOf: () => 'slack',
      budgets: () => [],
      nowMs: () => 1_000,
      ...parts,
    },
  );
  return (name: string) => [...(read.get(name)?.() ?? [])];
}

const suspension = (connectionId: string, until: number | null = null) => ({
  connectionId,
  reason: '401',
  suspendedBy: 'connector',
  suspendedAt: 0,
  until,
  version: 1,
});

describe('the metrics of a connector', () => {
  it('count the suspended connections of its own destination only', () => {
    const rows = ['ours', 'theirs', 'gone', 'over'].map(
      (id) => [id, suspension(id, id === 'over' ? 999 : null)] as const,
    );
    const destinationOf = (id: string) => ({ ours: 'slack', theirs: 'http', over: 'slack' })[id];
    const values = observed({ suspensions: () => new Map(rows), destinationOf });
    expect(values('connections.suspended')).toEqual([[1, { destination: 'slack' }]]);
  });

  it('say 0 when none is suspended, so that an alert can see it', () => {
    expect(observed({})('connections.suspended')).toEqual([[0, { destination: 'slack' }]]);
  });

  it('give of each connection the part that has least left, and the reset only where a vendor said it', () => {
    const values = observed({
      budgets: () => [
        { scope: scopeWithin('a', 'c1'), calls: 0, resetInMs: 2_500 },
        { scope: 'b', calls: 3, resetInMs: undefined },
        { scope: scopeWithin('a', 'c2'), calls: 5, resetInMs: 9_000 },
      ],
    });
    const a = { destination: 'slack', connection: 'a' };
    expect(values('connection.budget.left')).toEqual([
      [0, a],
      [3, { destination: 'slack', connection: 'b' }],
    ]);
    expect(values('connection.budget.reset')).toEqual([[2.5, a]]);
  });
});
