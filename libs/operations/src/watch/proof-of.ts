import type { TopicAdmin } from '@tributary/kafka';
import type { Database } from '@tributary/persistence';
import { type ProofReport, prove } from '@tributary/proof';
import { destinationSlugs, sourceSlugs } from '@tributary/registry/topics';
import { topicChains } from '../consumer-groups.js';
import { proofPorts } from '../proof-ports.js';

/** Longest wait for the ledger: one that is further behind is a finding. */
const ledgerWaitMs = 60_000;

/** The proof over everything since then. */
export function proofOf(admin: TopicAdmin, database: Database, from: Date): Promise<ProofReport> {
  const ports = proofPorts(admin, database, { waitMs: ledgerWaitMs, from, to: null });
  return prove(ports, { sources: sourceSlugs, destinations: destinationSlugs, from, to: null });
}

export const deadLetterTopics = (): string[] => [...new Set(topicChains().map(({ deadLetter }) => deadLetter.name))];
