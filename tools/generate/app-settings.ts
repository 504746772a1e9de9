import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import type { AppSettings, Settings } from './settings-page.js';

export interface Places {
  /** The workspace. */
  readonly root: string;
  /** The folder whose `apps/<app>/src/settings.js` can be imported: `dist`, usually. */
  readonly built: string;
}

/**
 * What every app declares, by loading its built settings file. It is loaded as data at run time: no import statement
 * leads from here into an app, so no app can become something that others are compiled against.
 */
export async function readAppSettings({ root, built }: Places): Promise<AppSettings[]> {
  const apps = readdirSync(join(root, 'apps'))
    .filter((app) => existsSync(join(root, 'apps', app, 'src/main.ts')))
    .sort();
  return Promise.all(
    apps.map(async (app) => ({
      app,
      settings: await settingsOf(app, { root, built }),
      isService: readFileSync(join(root, 'apps', app, 'src/main.ts'), 'utf8').includes('runService('),
    })),
  );
}

async function settingsOf(app: string, { root, built }: Places): Promise<Settings> {
  if (!existsSync(join(root, 'apps', app, 'src/settings.ts'))) return {};
  const file = join(built, 'apps', app, 'src/settings.js');
  if (!existsSync(file)) throw new Error(`${file} is missing: run \`npm run build\` first`);
  const name = `${camelCase(app)}Settings`;
  const settings = ((await import(pathToFileURL(file).href)) as Record<string, unknown>)[name];
  if (isSettings(settings)) return settings;
  throw new Error(`apps/${app}/src/settings.ts must export "${name}", an object of settings from @tributary/config`);
}

function isSettings(value: unknown): value is Settings {
  if (typeof value !== 'object' || value === null) return false;
  return Object.values(value).every((one) => typeof (one as { variable?: unknown } | null)?.variable === 'string');
}

export function camelCase(name: string): string {
  return name.replaceAll(/-(\w)/g, (_, letter: string) => letter.toUpperCase());
}
