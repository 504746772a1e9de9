import { execFileSync } from 'node:child_process';
import { LocalStackError } from './errors.js';

export interface PostgresAccount {
  readonly name: string;
  readonly uid: number;
  readonly gid: number;
}

/**
 * PostgreSQL refuses to run as root. A root user (a container, as a rule) lends it the account `postgres`, or else
 * `nobody`, which every system has, so that no account need be created. Undefined for everybody else.
 */
export function postgresAccount(): PostgresAccount | undefined {
  if (process.getuid?.() !== 0) return undefined;
  const account = findAccount('postgres') ?? findAccount('nobody');
  if (account) return account;
  throw new LocalStackError(
    'PostgreSQL cannot run as root and there is no account "postgres" or "nobody"; add one: useradd postgres',
  );
}

function findAccount(name: string): PostgresAccount | undefined {
  try {
    const id = (flag: string) => Number(execFileSync('id', [flag, name], { encoding: 'utf8', stdio: 'pipe' }));
    return { name, uid: id('-u'), gid: id('-g') };
  } catch {
    return undefined; // no such account: the caller tries the next
  }
}
