import { deliveryHeaders, errorHeaders } from '@tributary/contracts';
import { chainEndingIn } from './consumer-groups.js';
import type { DeadLetter } from './dead-letter.js';

/** Dead letters of one cause. */
export interface DeadLetterGroup {
  readonly fingerprint: string;
  readonly topic: string;
  readonly group: string;
  readonly class: string;
  readonly code: string;
  count: number;
  firstSeen: string;
  lastSeen: string;
  /** Of the latest one. */
  reason: string;
  /** Id of the latest one. */
  example: string;
  /** Records by connection; those that are not shown because there are too many count as `otherConnections`. */
  readonly connections: Record<string, number>;
  otherConnections: number;
}

const mostConnections = 50;
const mostGroups = 1_000;

/** Adds dead letters up by their cause, in memory that does not grow with them. */
export class DeadLetterGroups {
  private readonly groups = new Map<string, DeadLetterGroup>();
  /** Dead letters of causes beyond the thousandth. */
  beyond = 0;

  add(letter: DeadLetter): void {
    const { record, id } = letter;
    const { headers, topic } = record;
    const fingerprint = headers[errorHeaders.fingerprint] ?? '';
    const name = `${topic} ${fingerprint}`;
    const known = this.groups.get(name);
    if (!known && this.groups.size >= mostGroups) {
      this.beyond += 1;
      return;
    }
    const at = new Date(record.timestampMs).toISOString();
    const group = known ?? newGroup(letter, fingerprint, at);
    this.groups.set(name, group);
    group.count += 1;
    if (at < group.firstSeen) group.firstSeen = at;
    if (at >= group.lastSeen) {
      group.lastSeen = at;
      group.reason = headers[errorHeaders.message] ?? '';
      group.example = id;
    }
    countConnection(group, headers[deliveryHeaders.connectionId] ?? '');
  }

  get total(): number {
    return this.list().reduce((sum, { count }) => sum + count, this.beyond);
  }

  /** Largest first. */
  list(): DeadLetterGroup[] {
    return [...this.groups.values()].sort((a, b) => b.count - a.count || (a.fingerprint < b.fingerprint ? -1 : 1));
  }
}

function newGroup({ id, record }: DeadLetter, fingerprint: string, at: string): DeadLetterGroup {
  const { headers, topic } = record;
  return {
    fingerprint,
    topic,
    group: chainEndingIn(topic)?.group ?? '',
    class: headers[errorHeaders.class] ?? '',
    code: headers[errorHeaders.code] ?? '',
    count: 0,
    firstSeen: at,
    lastSeen: at,
    reason: headers[errorHeaders.message] ?? '',
    example: id,
    connections: {},
    otherConnections: 0,
  };
}

function countConnection(group: DeadLetterGroup, connection: string): void {
  if (connection === '') return;
  const known = Object.hasOwn(group.connections, connection) ? group.connections[connection] : undefined;
  if (known !== undefined) group.connections[connection] = known + 1;
  else if (Object.keys(group.connections).length < mostConnections) group.connections[connection] = 1;
  else group.otherConnections += 1;
}
