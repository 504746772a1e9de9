import { type LastAttempt, lastAttempts, type OpenDelivery } from './ledger-queries.js';
import type { ChainPositions } from './ports.js';
import { type ProofChains, type StandingRecord, type Surroundings, tenantOfKey } from './ports.js';
import type { OpenCause, OpenItem } from './report.js';
import type { Work } from './work.js';

const mostOpenByDefault = 50;

interface Open {
  readonly where: string;
  readonly chain: ChainPositions;
  readonly record: StandingRecord | undefined;
  readonly delivery?: OpenDelivery;
}

/** Why what is not finished is not finished, and what to run. The longest open come first. */
export async function openItems(
  work: Work,
  chains: ProofChains,
  deliveries: ReadonlyMap<string, readonly OpenDelivery[]>,
): Promise<{ readonly open: readonly OpenItem[]; readonly moreOpen: number }> {
  const all = [...openRecords(work, chains), ...openOf(work, chains, deliveries)];
  if (all.length === 0) return { open: [], moreOpen: 0 };
  all.sort((a, b) => (sinceOf(a) ?? Number.POSITIVE_INFINITY) - (sinceOf(b) ?? Number.POSITIVE_INFINITY));
  const shown = all.slice(0, work.scope.mostOpen ?? mostOpenByDefault);
  const around = await work.ports.surroundings([...new Set(shown.map(({ chain }) => chain.group))]);
  const attempts = await lastAttempts(
    work.ports.query,
    shown.flatMap(({ delivery }) => (delivery ? [delivery.deliveryId] : [])),
  );
  const explainer = new Explainer(work, around, attempts);
  return { open: shown.map((one) => explainer.explain(one)), moreOpen: all.length - shown.length };
}

function openRecords({ scope, standing }: Work, { raw, events }: ProofChains): Open[] {
  return [...raw.values(), ...events.values()].flatMap((chain) =>
    standing
      .of(chain.topic)
      .filter(({ key, holdsFor }) => holdsFor === undefined && isOfTenant(scope.tenant, key))
      .filter(({ eventId }) => scope.event === undefined || eventId === scope.event)
      .map((record) => ({ where: chain.topic, chain, record })),
  );
}

const isOfTenant = (tenant: string | undefined, key: string): boolean =>
  tenant === undefined || tenantOfKey(key) === tenant;

function openOf(
  { standing }: Work,
  { delivery }: ProofChains,
  deliveries: ReadonlyMap<string, readonly OpenDelivery[]>,
): Open[] {
  return [...deliveries].flatMap(([destination, open]) => {
    const chain = delivery.get(destination);
    if (!chain) return [];
    const records = new Map(standing.of(chain.topic).map((record) => [record.deliveryId, record]));
    return open.map((one) => ({ where: destination, chain, record: records.get(one.deliveryId), delivery: one }));
  });
}

const sinceOf = ({ record, delivery }: Open): number | undefined =>
  record?.firstFailureMs ?? delivery?.since.getTime() ?? record?.timestampMs;

interface Explanation {
  readonly cause: OpenCause;
  readonly why: string;
  readonly until?: string | null;
  readonly command: string;
}

const laneOf = ({ connectionId, key, origin }: StandingRecord): string =>
  `${origin.topic} ${origin.partition} ${connectionId ?? ''} ${key}`;

const placeOf = ({ topic, partition, offset }: StandingRecord): string => `${topic}/${partition}/${offset}`;

const reasonOption = '--reason "<why>"';

class Explainer {
  /** What each key waits for: what holds it, or the first of its records. */
  private readonly heads = new Map<string, StandingRecord>();

  constructor(
    private readonly work: Work,
    private readonly around: Surroundings,
    private readonly attempts: ReadonlyMap<string, LastAttempt>,
  ) {
    for (const record of work.standing.all()) {
      const head = this.heads.get(laneOf(record));
      if (!head || isBefore(record, head)) this.heads.set(laneOf(record), record);
    }
  }

  explain(open: Open): OpenItem {
    const { where, chain, record, delivery } = open;
    const { cause, why, until = null, command } = this.explanation(open);
    const since = sinceOf(open);
    return {
      stage: chain.stage,
      where,
      id: delivery?.deliveryId ?? record?.eventId ?? (record ? placeOf(record) : ''),
      tenant: delivery?.tenant ?? tenantOfKey(record?.key ?? ''),
      key: record?.key ?? '',
      connectionId: delivery?.connectionId ?? record?.connectionId ?? null,
      place: record ? placeOf(record) : null,
      cause,
      why,
      since: since === undefined ? null : new Date(since).toISOString(),
      until,
      command,
    };
  }

  private explanation({ chain, record, delivery }: Open): Explanation {
    const connectionId = delivery?.connectionId ?? record?.connectionId;
    return (
      this.suspended(connectionId) ??
      (record && this.behind(chain, record)) ??
      this.gated(chain, connectionId) ??
      (record && this.retried(record, delivery)) ??
      this.unconsumed(chain) ??
      this.inLine(chain, record, delivery)
    );
  }

  private suspended(connectionId: string | undefined): Explanation | undefined {
    const suspension = connectionId === undefined ? undefined : this.around.suspensions.get(connectionId);
    if (!suspension) return undefined;
    const { reason, by, sinceMs, untilMs } = suspension;
    return {
      cause: 'suspended',
      why: `connection ${connectionId} is suspended since ${new Date(sinceMs).toISOString()} by ${by}: ${reason}`,
      until: untilMs === null ? null : new Date(untilMs).toISOString(),
      command: `tributary resume ${connectionId} ${reasonOption}`,
    };
  }

  private behind(chain: ChainPositions, record: StandingRecord): Explanation | undefined {
    const head = this.heads.get(laneOf(record));
    if (!head || head === record || chain.stage !== 'connector') return undefined;
    if (head.holdsFor !== undefined) {
      return {
        cause: 'behind-dead-letter',
        why: `dead letter ${head.holdsFor} holds the key: redrive or discard it`,
        command: `tributary dlt redrive ${head.holdsFor} ${reasonOption}`,
      };
    }
    return {
      cause: 'behind-key',
      why: `${placeOf(head)} is before it and has the same key`,
      command: `tributary trace ${head.deliveryId ?? head.eventId ?? ''}`.trim(),
    };
  }

  private gated(chain: ChainPositions, connectionId: string | undefined): Explanation | undefined {
    const gate = this.around.gates.find((one) => one.group === chain.group && one.connectionId === connectionId);
    if (!gate) return undefined;
    return {
      cause: 'gate-closed',
      why: `a gate of connection ${connectionId} is closed (${gate.kind}): ${gate.reason}`,
      until: gate.until,
      command: 'tributary lanes --service <url of the connector>',
    };
  }

  private retried(record: StandingRecord, delivery: OpenDelivery | undefined): Explanation | undefined {
    const last = delivery && this.attempts.get(delivery.deliveryId);
    if (!last && record.attempts === 0) return undefined;
    const said = last ? `: attempt ${last.attempt} at ${last.at.toISOString()} was ${last.outcome} ${last.error}` : '';
    const isDueLater = record.dueMs > this.work.ports.nowMs();
    const until = isDueLater ? new Date(record.dueMs).toISOString() : null;
    return {
      cause: 'waits-for-retry',
      why: `it is tried again${until ? ` at ${until}` : ''}${said.trimEnd()}`,
      until,
      command: `tributary trace ${delivery?.deliveryId ?? record.eventId ?? ''}`.trim(),
    };
  }

  private unconsumed({ group, topic }: ChainPositions): Explanation | undefined {
    if (this.around.members.get(group) !== 0) return undefined;
    return {
      cause: 'no-consumer',
      why: `nobody consumes ${topic}: the group ${group} has no members`,
      command: `start ${group}`,
    };
  }

  private inLine(
    { topic, group }: ChainPositions,
    record: StandingRecord | undefined,
    delivery: OpenDelivery | undefined,
  ): Explanation {
    const trace = `tributary trace ${delivery?.deliveryId ?? record?.eventId ?? ''}`.trim();
    if (record) return { cause: 'in-line', why: `nothing holds it: ${group} is at it, or before it`, command: trace };
    const why = this.work.standing.isComplete(topic)
      ? `its record is younger than the positions of this proof: prove again`
      : `so much waits in ${topic} that this proof did not read it`;
    return { cause: 'not-read', why, command: trace };
  }
}

/** A copy that holds the key is what everything of the key waits for, wherever it stands. */
function isBefore(one: StandingRecord, other: StandingRecord): boolean {
  if ((one.holdsFor !== undefined) !== (other.holdsFor !== undefined)) return one.holdsFor !== undefined;
  return one.origin.offset < other.origin.offset;
}
