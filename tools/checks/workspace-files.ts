import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';

export interface WorkspaceFile {
  /** From the top of the workspace, with forward slashes. */
  readonly path: string;
  readonly text: string;
}

const foreign = new Set(['node_modules', 'dist', '.git', '.local', 'fixtures']);

/** Paths of everything that somebody here wrote. */
export function listFiles(root: string, folder = ''): string[] {
  return readdirSync(join(root, folder), { withFileTypes: true })
    .flatMap((entry) => {
      const path = folder ? `${folder}/${entry.name}` : entry.name;
      if (entry.isDirectory()) return foreign.has(entry.name) ? [] : listFiles(root, path);
      return entry.isFile() ? [path] : [];
    })
    .sort();
}

/** The TypeScript and JavaScript of the product among them. Examples are what others write: they know only what is public. */
export function readSources(root: string): WorkspaceFile[] {
  return listFiles(root)
    .filter((path) => /[.][cm]?[jt]s$/.test(path) && !path.includes('/generated/') && !path.startsWith('examples/'))
    .map((path) => ({ path, text: readFileSync(join(root, path), 'utf8') }));
}

export const isTestFile = (path: string): boolean => /[.-](?:spec|test)[.][cm]?[jt]sx?$/.test(path);

export interface Problem {
  readonly where: string;
  readonly what: string;
}
