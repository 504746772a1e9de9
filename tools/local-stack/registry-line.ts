import { existsSync } from 'node:fs';
import { readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { LocalStackError } from './errors.js';
import { registryJava } from './prerequisites.js';

/** 3.3 where Java 21 is found; 2.6 is the last line that runs on Java 17. See docs/adr/0008. */
export type RegistryLine = '3.3' | '2.6';

/**
 * Data that exists is opened by the line that wrote it: another one starts empty and gives its own ids, so the kept
 * Kafka records would be read with the wrong schemas.
 */
export async function chooseRegistryLine(dataFolder: string, javaMajor: number): Promise<RegistryLine> {
  const wanted = javaMajor >= registryJava.major ? '3.3' : '2.6';
  const line = (await lineOf(dataFolder)) ?? wanted;
  if (line === '3.3' && wanted === '2.6') {
    throw new LocalStackError(
      `the data in ${dataFolder} was written by ${registryJava.neededBy}, which needs a JDK ${registryJava.major} or newer, and Java ${javaMajor} is what was found: install one, set JAVA_HOME, or start from nothing with --wipe`,
    );
  }
  await writeFile(markOf(dataFolder), `${line}\n`);
  return line;
}

async function lineOf(dataFolder: string): Promise<RegistryLine | undefined> {
  const mark = markOf(dataFolder);
  // Folders older than the mark were all written by 3.3.
  if (!existsSync(mark)) return existsSync(join(dataFolder, 'kafka')) ? '3.3' : undefined;
  const line = (await readFile(mark, 'utf8')).trim();
  if (line === '3.3' || line === '2.6') return line;
  throw new LocalStackError(
    `${mark} names registry "${line}", which is unknown here; start from nothing with --wipe or choose another folder with --data-dir`,
  );
}

function markOf(dataFolder: string): string {
  return join(dataFolder, 'registry-line');
}
