// Only operators and tests migrate, and TypeORM costs tens of megabytes: it is loaded when it is used.
const load = () => import('./data-source.js');

/** Runs what is missing, one migrator at a time. Returns the names of the migrations that ran. */
export async function migrate(url: string): Promise<string[]> {
  return (await load()).runMigrations(url);
}

/** Names of the migrations that have not run yet. */
export async function pendingMigrations(url: string): Promise<string[]> {
  return (await load()).listPending(url);
}
