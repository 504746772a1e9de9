import type { ProofPorts, ProofScope } from './ports.js';
import type { BlockSums } from './remembered.js';
import type { Findings } from './report.js';
import type { Standing } from './standing.js';

/** What every part of one proof works with. */
export interface Work {
  readonly ports: ProofPorts;
  readonly scope: ProofScope;
  readonly findings: Findings;
  readonly blocks: BlockSums;
  readonly standing: Standing;
  readonly beganAtMs: number;
}

/** Of one kind, so many are named; more would not help. */
export const mostNamed = 20;
