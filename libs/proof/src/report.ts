/** Something that should be there and is not, or is there and should not be. Each one keeps the proof from closing. */
export interface Finding {
  /** Which sum does not close: `raw.gusto.v1`, `ledger`, `http`. */
  readonly where: string;
  /** What is wrong and with which record, for a person. */
  readonly what: string;
}

/** One raw topic: accepted = normalized + duplicate + filtered + dead + waiting. */
export interface SourceSums {
  readonly source: string;
  readonly accepted: number;
  readonly normalized: number;
  readonly duplicate: number;
  readonly filtered: number;
  readonly dead: number;
  readonly waiting: number;
}

/** One events topic: events = routed + waiting. */
export interface DomainSums {
  readonly domain: string;
  readonly events: number;
  readonly routed: number;
  readonly dead: number;
  readonly waiting: number;
}

/** One destination: planned = delivered + dead + discarded + waiting. */
export interface DestinationSums {
  readonly destination: string;
  readonly planned: number;
  readonly delivered: number;
  readonly dead: number;
  readonly discarded: number;
  readonly waiting: number;
}

/** The ledger itself: every offset of the audit topic is a row. */
export interface LedgerSums {
  readonly records: number;
  readonly rows: number;
  readonly waiting: number;
}

export interface ProofReport {
  readonly from: string | null;
  readonly to: string | null;
  readonly sources: readonly SourceSums[];
  readonly domains: readonly DomainSums[];
  readonly destinations: readonly DestinationSums[];
  readonly ledger: LedgerSums;
  readonly findings: readonly Finding[];
  /** Findings that were found beyond those listed. */
  readonly moreFindings: number;
  readonly closes: boolean;
}

/** Records and deliveries that are on their way. */
export const waitingIn = ({ sources, domains, destinations }: ProofReport): number =>
  [...sources, ...domains, ...destinations].reduce((sum, { waiting }) => sum + waiting, 0);
