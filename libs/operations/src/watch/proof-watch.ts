import type { ProofReport } from '@tributary/proof';
import type { Logger, Metrics } from '@tributary/telemetry';

export interface ProofWatchParts {
  /** Proves what was received from that time on. */
  readonly prove: (from: Date) => Promise<ProofReport>;
  /** How far back each proof goes. */
  readonly windowMs: number;
  readonly nowMs: () => number;
  readonly logger: Pick<Logger, 'error'>;
}

/** Findings that are logged of one proof: a disaster need not be told in full, `tributary prove` does. */
const mostLogged = 10;

/** Proves the recent past again and again, and says at each scrape what came of it. */
export class ProofWatch {
  private last: { readonly closes: boolean; readonly findings: number } | undefined;
  private completedAtMs: number;

  constructor(private readonly parts: ProofWatchParts) {
    this.completedAtMs = parts.nowMs();
  }

  observe(metrics: Pick<Metrics, 'observe'>): void {
    metrics.observe('proof.closes', () => (this.last ? [[this.last.closes ? 1 : 0]] : []));
    metrics.observe('proof.findings', () => (this.last ? [[this.last.findings]] : []));
    // Counted from the start as long as none was completed: a proof that never ends must show as well.
    metrics.observe('proof.age', () => [[(this.parts.nowMs() - this.completedAtMs) / 1000]]);
  }

  /** @throws when it could not be carried through; what the last one said stays. */
  async round(): Promise<void> {
    const { prove, windowMs, nowMs, logger } = this.parts;
    const report = await prove(new Date(nowMs() - windowMs));
    this.last = { closes: report.closes, findings: report.findings.length + report.moreFindings };
    this.completedAtMs = nowMs();
    for (const { where, what } of report.findings.slice(0, mostLogged)) logger.error({ where, what }, 'proof.finding');
  }
}
