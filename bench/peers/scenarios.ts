/** One line of the harness; its README says what each field means. */
export interface Run {
  readonly scenario: string;
  readonly peer: string;
  readonly recordsPerSec: number;
  readonly efficiency?: number;
  readonly efficiencyVsBound?: number | null;
  readonly cleanP50Ms?: number;
  readonly cleanP99Ms?: number;
  readonly inversions?: number;
  readonly duplicates?: number;
  readonly missing?: number | null;
  readonly beforeRetryAfter?: number;
  readonly dltExpected?: number;
  readonly dltRight?: number;
  readonly dltWrong?: number;
  readonly cpuMsPerRecord?: number;
  readonly peakRssMiB?: number;
  readonly otherBusy?: number;
}

const ordered = ['platformatic', 'parallel-consumer'];

/** Peers that keep the order of a key, or none, where the scenario can tell them apart. */
export const scenarios = [
  { name: 'S1', programs: ['ours', ...ordered] },
  { name: 'S1u', programs: ['ours', 'ours-unordered', ...ordered, 'redpanda-unordered'] },
  { name: 'S1bu', programs: ['ours', ...ordered] },
  { name: 'S1ul', programs: ['ours', ...ordered] },
  { name: 'S2', programs: ['ours', 'ours-unordered', ...ordered, 'redpanda-unordered', 'spring'] },
  { name: 'S2u', programs: ['ours', 'ours-unordered', ...ordered, 'redpanda-unordered', 'spring'] },
  { name: 'S3', programs: ['ours', 'kafkajs', ...ordered, 'spring'] },
] as const satisfies readonly { readonly name: string; readonly programs: readonly string[] }[];

const isOurs = ({ peer }: Run): boolean => peer.startsWith('ours');
const keepsOrder = ({ peer }: Run): boolean =>
  peer !== 'ours-unordered' && peer !== 'redpanda-unordered' && peer !== 'spring';

/** S2 is about how long records without a fault wait, everything else about the rate. Higher is better. */
const scoreOf = (run: Run): number => (run.cleanP99Ms === undefined ? run.recordsPerSec : 1000 / run.cleanP99Ms);

function median(numbers: readonly number[]): number {
  return [...numbers].sort((a, b) => a - b)[Math.floor(numbers.length / 2)] ?? 0;
}

function byPeer(runs: readonly Run[]): Map<string, Run[]> {
  const groups = new Map<string, Run[]>();
  for (const run of runs) groups.set(run.peer, [...(groups.get(run.peer) ?? []), run]);
  return groups;
}

/** The best peer of each scenario among those that promise what we promise there. */
export function best(runs: readonly Run[]): Record<string, string> {
  const found: Record<string, string> = {};
  for (const [scenario, those] of byScenario(runs)) {
    const peers = bestPeer(those);
    if (peers) found[scenario] = peers.peer;
  }
  return found;
}

function byScenario(runs: readonly Run[]): Map<string, Run[]> {
  const groups = new Map<string, Run[]>();
  for (const run of runs) groups.set(run.scenario, [...(groups.get(run.scenario) ?? []), run]);
  return groups;
}

function bestPeer(runs: readonly Run[]): { readonly peer: string; readonly score: number } | undefined {
  const peers = byPeer(runs.filter((run) => !isOurs(run) && (run.scenario === 'S3' || keepsOrder(run))));
  const scored = [...peers].map(([peer, those]) => ({ peer, score: median(those.map(scoreOf)) }));
  return scored.sort((a, b) => b.score - a.score)[0];
}

/** Medians of ours, by scenario, and how they stand to the best peer that keeps order (S3: to the fastest of all). */
export function summaryOf(runs: readonly Run[]): Record<string, Record<string, number | undefined>> {
  const summary: Record<string, Record<string, number | undefined>> = {};
  for (const [scenario, those] of byScenario(runs)) {
    const peer = bestPeer(those);
    for (const [name, ours] of byPeer(those.filter(isOurs))) {
      const of = (field: keyof Run) => {
        const known = ours.map((run) => run[field]).filter((value) => typeof value === 'number');
        return known.length > 0 ? median(known) : undefined;
      };
      summary[name === 'ours' ? scenario : `${scenario} unordered`] = {
        recordsPerSec: of('recordsPerSec'),
        efficiency: of('efficiency'),
        efficiencyVsBound: of('efficiencyVsBound'),
        cleanP50Ms: of('cleanP50Ms'),
        cleanP99Ms: of('cleanP99Ms'),
        inversions: of('inversions'),
        beforeRetryAfter: of('beforeRetryAfter'),
        dltRight: of('dltRight'),
        dltWrong: of('dltWrong'),
        cpuMsPerRecord: of('cpuMsPerRecord'),
        peakRssMiB: of('peakRssMiB'),
        ratioToBestPeer: peer ? Number((median(ours.map(scoreOf)) / peer.score).toFixed(3)) : undefined,
      };
    }
  }
  return summary;
}
