/** With columns: only of these. */
export type TableRight = 'SELECT' | 'INSERT' | 'DELETE' | 'UPDATE' | `UPDATE (${string})`;

/** What one service does in the database, and nothing else. */
export interface ServiceRights {
  readonly tables: Readonly<Record<string, readonly TableRight[]>>;
  /** Of `data_key`, in the database of the data keys. */
  readonly dataKeys?: readonly TableRight[];
  /** Rows of the ledger's guarded tables are added and, where it may, read; whose they are does not matter. */
  readonly writesLedger?: true;
  /** Asks in the name of these, so that it sees what they may see. */
  readonly speaksFor?: readonly string[];
}

/**
 * A row is locked by who may update a column of it, so what forgets old claims may set their time. Operators' commands (erase, hold, retire,
 * redrive) are run by the owner of the tables: they are rare, and each is in the audit trail.
 */
const table = {
  'audit-logger': {
    tables: {
      // Rows are added to the months, of which each has the right of its own: see `grantServices`.
      'ledger.audit_record': ['SELECT'],
      'ledger.position': ['SELECT', 'INSERT', 'UPDATE'],
      'ledger.destination_month': ['SELECT', 'INSERT', 'UPDATE'],
      'ledger.tree': ['SELECT', 'INSERT', 'UPDATE'],
      'ledger.tree_node': ['SELECT', 'INSERT'],
      'ledger.retired_row': ['SELECT'],
      'ledger.leaf': ['SELECT'],
    },
    // An insert that meets a key keeps it by setting its tenant to what it is.
    dataKeys: ['SELECT', 'INSERT', 'UPDATE (tenant)'],
    writesLedger: true,
  },
  normalizer: { tables: { 'inbox.claim': ['SELECT', 'INSERT', 'DELETE', 'UPDATE (claimed_at)'] } },
  connector: {
    tables: {
      'delivery.claim': ['SELECT', 'INSERT', 'DELETE', 'UPDATE (round, result, receipt, claimed_at)'],
    },
  },
  console: {
    tables: {
      'ledger.position': ['SELECT'],
      'ledger.retired_row': ['SELECT'],
      'ledger.leaf': ['SELECT'],
      'ledger.proof_block': ['SELECT', 'INSERT', 'UPDATE', 'DELETE'],
      'ledger.proof_mark': ['SELECT', 'INSERT', 'UPDATE'],
      'operations.dead_letter_act': ['SELECT'],
    },
    dataKeys: ['SELECT'],
    speaksFor: ['tributary_auditor', 'tributary_reader'],
  },
} as const satisfies Record<string, ServiceRights>;

export type ServiceWithTables = keyof typeof table;

export const serviceRights: Readonly<Record<ServiceWithTables, ServiceRights>> = table;

export const servicesWithTables = Object.keys(table) as readonly ServiceWithTables[];

/** A role without login: logins are made members of it, one or several for each service. */
export const roleOf = (service: ServiceWithTables): string => `tributary_${service.replaceAll('-', '_')}`;
