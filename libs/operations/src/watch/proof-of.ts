import { type ProofReport, prove } from '@tributary/proof';
import { destinationSlugs, sourceSlugs } from '@tributary/registry/topics';
import { topicChains } from '../consumer-groups.js';
import { type ProofWorld, proofPorts } from '../proof-ports.js';

/** Longest wait for the ledger: one that is further behind is a finding. */
const ledgerWaitMs = 60_000;

/** The proof over everything since then. What is open is counted only: `tributary prove` explains it. */
export function proofOf(world: ProofWorld, from: Date): Promise<ProofReport> {
  const ports = proofPorts(world, { waitMs: ledgerWaitMs, from, to: null });
  return prove(ports, { sources: sourceSlugs, destinations: destinationSlugs, from, to: null, mostOpen: 0 });
}

export const deadLetterTopics = (): string[] => [...new Set(topicChains().map(({ deadLetter }) => deadLetter.name))];
