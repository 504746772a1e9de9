import type { RawRecord } from '@tributary/contracts';
import { type OffsetRange, readRecords, type TopicAdmin } from '@tributary/kafka';
import { type Database, DeadLetterActs } from '@tributary/persistence';
import { registry } from '@tributary/registry';
import type { Platform } from '@tributary/runtime';
import type { DescribeBody } from './dead-letter-edit.js';
import type { DeadLetterPorts } from './dead-letters.js';
import { auditOf } from './facts.js';

/** Connects dead letters to a cluster and a database. */
export function deadLetterPorts(platform: Platform, admin: TopicAdmin, database: Database): DeadLetterPorts {
  return {
    ranges: (topic, fromMs) => rangesOf(admin, topic, fromMs),
    read: (ranges) => readRecords({ client: platform.client, ranges }),
    acts: new DeadLetterActs(database),
    send: (record) => platform.producer.send(record),
    audit: (facts) => platform.audit.write(auditOf(facts, Date.now())),
    nowMs: Date.now,
  };
}

async function rangesOf(admin: TopicAdmin, topic: string, fromMs: number | undefined): Promise<OffsetRange[]> {
  const ranges = (await admin.offsets(topic)) ?? [];
  if (ranges.length === 0) return [];
  const first = fromMs === undefined ? undefined : await admin.offsetsAt(topic, fromMs);
  return ranges
    .map(({ partition, low, high }) => ({
      topic,
      partition,
      from: Math.max(low, first?.get(partition) ?? low),
      to: high,
    }))
    .sort((a, b) => a.partition - b.partition);
}

/** What a source makes of a raw body, with the settings its connection would have by default. */
export const describeBody: DescribeBody = (raw: RawRecord) => {
  const definition = registry.sources.get(raw.source);
  if (!definition) return `source ${raw.source} is not known to this build`;
  const headers = new Map(Object.entries(raw.headers).map(([name, value]) => [name, [value]] as const));
  if (raw.contentType) headers.set('content-type', [raw.contentType]);
  const request = { method: 'POST', path: '/', headers, body: raw.body, receivedAtMs: raw.receivedAt };
  const connection = { id: raw.connection, tenant: raw.tenant, settings: {}, secrets: {} };
  const described = definition.describe(request, connection as never);
  return described.kind === 'event' ? described : described.reason;
};
