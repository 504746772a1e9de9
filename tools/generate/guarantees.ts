import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import type { Registry } from '@tributary/registry';
import type { GeneratedFile } from './generated-file.js';
import { code, table } from './markdown.js';
import { replaceBetween } from './readme.js';

const path = 'docs/delivery-guarantees.md';

/** The page of guarantees with what each definition promises; nothing where there is no such page. */
export function guaranteesFile(root: string, registry: Registry): GeneratedFile[] {
  const file = join(root, path);
  if (!existsSync(file)) return [];
  const block = { name: 'guarantees', path };
  const text = replaceBetween(readFileSync(file, 'utf8'), renderGuarantees(registry), block);
  return text === undefined ? [] : [{ path, text }];
}

const unanswered = {
  retry: 'sent again under the same id',
  drop: 'dead-lettered; a person decides',
  hold: 'the connection waits; a person decides',
} as const;

export function renderGuarantees({ destinations }: Registry): string {
  const rows = [...destinations.values()].map(({ title, slug, promises, unknownOutcome, limits }) => {
    const dropsRepeats = promises.idempotency === 'key';
    return [
      `${title} (${code(slug)})`,
      promises.ordering === 'per-key' ? 'per key, over retries, crashes and hand-overs' : 'none',
      dropsRepeats ? 'the receiver, by our delivery id' : 'we do, by a claim written before the call',
      unanswered[unknownOutcome],
      dropsRepeats ? code('cross') : code('lane'),
      `${limits.timeoutMs / 1000} s`,
    ];
  });
  return table(
    ['Destination', 'Order', 'Who drops a repeat', 'A request without an answer is', 'Fence', 'Longest attempt'],
    rows,
  );
}
