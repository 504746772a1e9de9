import type { TopicDefinition } from '@tributary/contracts';
import { code, page, table } from './markdown.js';

export function renderTopicsPage(topics: readonly TopicDefinition[]): string {
  const head = ['Topic', 'Key', 'Partitions', 'Kept', 'Written by', 'Records', 'Purpose'];
  const rows = topics.map((topic) => [
    code(topic.name),
    topic.key,
    String(topic.partitions),
    retention(topic),
    topic.owner,
    topic.records.map(code).join(', ') || 'bytes',
    topic.purpose,
  ]);
  const note =
    'Records with the same key stay in order; nothing else is promised. Partitions are the defaults: a running cluster keeps the count it has.';
  return page('Topics', 'the catalogue in libs/contracts', note, table(head, rows));
}

function retention({ cleanup, retentionMs }: TopicDefinition): string {
  if (cleanup === 'compact') return 'the last of each key';
  return retentionMs === undefined ? "the broker's default" : duration(retentionMs);
}

function duration(ms: number): string {
  const hours = ms / 3_600_000;
  return hours % 24 === 0 ? `${hours / 24} d` : `${hours} h`;
}
