import type { Database } from '../database.js';

/** Whose rows are seen. */
export type LedgerScope = { readonly tenant: string } | 'all-tenants';

/** Whoever asks a question that would take longer must narrow it. */
const longestQuestionMs = 10_000;

/** Questions in one transaction that can only read, and only rows of the scope, whatever they ask. */
export class LedgerView {
  constructor(private readonly database: Pick<Database, 'transaction'>) {}

  read<T>(scope: LedgerScope, work: (query: Database['query']) => Promise<T>): Promise<T> {
    return this.database.transaction(async (query) => {
      await query('SET TRANSACTION READ ONLY');
      await query(`SET LOCAL statement_timeout = ${longestQuestionMs}`);
      // The connection may be the owner's, whom no policy binds: from here on it is one whom they do.
      await query(`SET LOCAL ROLE ${scope === 'all-tenants' ? 'tributary_auditor' : 'tributary_reader'}`);
      if (scope !== 'all-tenants') await query("SELECT set_config('tributary.tenant', $1, true)", [scope.tenant]);
      return work(query);
    });
  }
}
