import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';

export interface Fixture {
  /** File name without `.in.json`. */
  readonly name: string;
  readonly input: Readonly<Record<string, unknown>>;
  readonly output: unknown;
}

const readJson = (path: string) => JSON.parse(readFileSync(path, 'utf8'));

/** Every `fixtures/<case>.in.json` of a definition's folder with its `.out.json`. */
export function fixturesIn(folder: string): readonly Fixture[] {
  const at = join(folder, 'fixtures');
  const names = readdirSync(at)
    .filter((file) => file.endsWith('.in.json'))
    .map((file) => file.slice(0, -'.in.json'.length));
  if (names.length === 0) throw new Error(`${at} holds no <case>.in.json`);
  return names.map((name) => ({
    name,
    input: readJson(join(at, `${name}.in.json`)),
    output: readJson(join(at, `${name}.out.json`)),
  }));
}
