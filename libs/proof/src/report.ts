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

/** One events topic: events = routed + dead + waiting. */
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

/** Why something is not finished: a closed list, so that a script can tell one from another. */
export type OpenCause =
  /** Its connection waits for a person. */
  | 'suspended'
  /** A dead letter holds its key until a person decides. */
  | 'behind-dead-letter'
  /** An earlier record of its key is not finished. */
  | 'behind-key'
  /** A closed gate stands before its connection. */
  | 'gate-closed'
  /** It was attempted, and is attempted again at a known time. */
  | 'waits-for-retry'
  /** Nobody consumes the topic. */
  | 'no-consumer'
  /** Nothing holds it: it is being worked on, or others are before it. */
  | 'in-line'
  /** Its record was not seen: it is younger than the proof, or too many wait to read them all. */
  | 'not-read';

/** A record or delivery that is on its way: nothing is lost, and something may be needed of a person. */
export interface OpenItem {
  readonly stage: 'normalizer' | 'router' | 'connector';
  /** Which sum it is waiting in: `raw.gusto.v1`, `events.people.v1`, `http`. */
  readonly where: string;
  /** Event id, or the delivery's. */
  readonly id: string;
  readonly tenant: string;
  readonly key: string;
  readonly connectionId: string | null;
  /** `<topic>/<partition>/<offset>`; null: not seen. */
  readonly place: string | null;
  readonly cause: OpenCause;
  readonly why: string;
  readonly since: string | null;
  /** When it goes on by itself; null: not known, or never. */
  readonly until: string | null;
  /** What to run. */
  readonly command: string;
}

export interface ProofReport {
  readonly from: string | null;
  readonly to: string | null;
  /** Null: all of them. */
  readonly tenant: string | null;
  /** Null: all of them. */
  readonly event: string | null;
  readonly sources: readonly SourceSums[];
  readonly domains: readonly DomainSums[];
  readonly destinations: readonly DestinationSums[];
  readonly ledger: LedgerSums;
  readonly findings: readonly Finding[];
  /** Findings that were found beyond those listed. */
  readonly moreFindings: number;
  readonly open: readonly OpenItem[];
  /** Open items beyond those listed. */
  readonly moreOpen: number;
  readonly closes: boolean;
}

/** Records and deliveries that are on their way. */
export const waitingIn = ({ sources, domains, destinations }: ProofReport): number =>
  [...sources, ...domains, ...destinations].reduce((sum, { waiting }) => sum + waiting, 0);

const mostFindings = 200;

/** Collects findings; beyond a number they are counted only, so that a disaster still fits a screen. */
export class Findings {
  readonly list: Finding[] = [];
  more = 0;

  add(where: string, what: string): void {
    if (this.list.length < mostFindings) this.list.push({ where, what });
    else this.more += 1;
  }
}
