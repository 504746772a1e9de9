import type { Setting } from '@tributary/config';
import { code, page, table } from './markdown.js';

export type Settings = Readonly<Record<string, Setting<unknown>>>;

export interface AppSettings {
  readonly app: string;
  readonly settings: Settings;
  /** Whether it reads the settings of every service as well. */
  readonly isService: boolean;
}

export function renderSettingsPage(platform: Settings, apps: readonly AppSettings[]): string {
  const note = 'Environment variables. A service that cannot use one refuses to start and names every such variable.';
  return page(
    'Settings',
    "the settings values of libs/config and of each app's settings.ts",
    note,
    section('Every service', platform),
    ...apps.map(({ app, settings, isService }) =>
      section(isService ? `${app}, beside those of every service` : `${app}, which reads no others`, settings),
    ),
  );
}

function section(title: string, settings: Settings): string {
  const rows = Object.values(settings).map((one) => [code(one.variable), defaultOf(one), one.help]);
  const body = rows.length > 0 ? table(['Variable', 'Default', 'Meaning'], rows) : 'None.';
  return `## ${title}\n\n${body}`;
}

function defaultOf({ fallback, secret }: Setting<unknown>): string {
  const suffix = secret ? ' (secret)' : '';
  if (fallback === undefined) return `required${suffix}`;
  if (fallback === null) return `optional${suffix}`;
  return `${fallback === '' ? 'empty' : code(fallback)}${suffix}`;
}
