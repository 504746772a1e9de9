import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import type { TopicAccess } from '@tributary/contracts';
import { camelCase, type Places } from '../generate/app-settings.js';

/** What an app opens in Kafka, by its built `access.js`; the argument is the destination it serves, if it serves one. */
export type AccessOf = (destination?: string) => TopicAccess;

/**
 * Loaded as data at run time, as settings are: no import statement leads from here into an app.
 * @throws Error when the app declares none.
 */
export async function readAppAccess(app: string, { built }: Pick<Places, 'built'>): Promise<AccessOf> {
  const name = `${camelCase(app)}Access`;
  const file = join(built, 'apps', app, 'src/access.js');
  const found = await import(pathToFileURL(file).href).then(
    (module: Record<string, unknown>) => module[name],
    () => undefined,
  );
  const help = `apps/${app}/src/access.ts must export "${name}": what the app consumes, follows and writes, or a function of the destination that gives it`;
  if (typeof found === 'function') return (destination = '') => checked(found(destination), help);
  const fixed = checked(found, help);
  return () => fixed;
}

function checked(value: unknown, help: string): TopicAccess {
  const access = value as Partial<TopicAccess> | undefined;
  if ([access?.consumes, access?.follows, access?.writes].every(Array.isArray)) return access as TopicAccess;
  throw new Error(help);
}
