import { readdirSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { topics } from '@tributary/contracts';
import type { Environment } from '../../tools/start/environment.js';
import { storyOf } from './records.js';

const atOnce = 5_000;

/** Puts audit records on the topic until there are so many, as the stages write them. @returns how many there are. */
export async function fillTopic({ platform }: Environment, wanted: number): Promise<number> {
  const startMs = Date.now() - wanted;
  let count = 0;
  let sends: Promise<void>[] = [];
  for (let n = 0; count < wanted; n++) {
    const { records } = storyOf(n, startMs + n);
    const taken = records.slice(0, wanted - count);
    count += taken.length;
    sends.push(...taken.map((record) => platform.audit.write(record)));
    if (sends.length < atOnce) continue;
    await Promise.all(sends);
    sends = [];
  }
  await Promise.all(sends);
  return count;
}

/** Bytes that the broker keeps of the topic. */
export function topicBytes(dataDir: string): number {
  const folders = readdirSync(dataDir, { recursive: true, withFileTypes: true }).filter(
    (entry) => entry.isFile() && entry.name.endsWith('.log') && entry.parentPath.includes(`/${topics.audit.name}-`),
  );
  return folders.reduce((sum, { parentPath, name }) => sum + statSync(join(parentPath, name)).size, 0);
}
