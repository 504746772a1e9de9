import type { PlannedDelivery, SkippedSubscription, Subscription } from '@tributary/contracts';
import { type CanonicalEvent, compileFilter, deliveryId, type Filter } from '@tributary/domain';

interface Target {
  readonly tenant: string;
  readonly destination: string | null;
}

interface IndexedSubscription {
  readonly row: Subscription;
  readonly filter: Filter | undefined;
  readonly filterProblem: string | undefined;
}

export interface Routing {
  readonly deliveries: readonly PlannedDelivery[];
  readonly skipped: readonly SkippedSubscription[];
}

/** Subscriptions by tenant and event type. Updated row by row as the control topic changes. */
export class SubscriptionIndex {
  private readonly byId = new Map<string, IndexedSubscription>();
  private readonly byType = new Map<string, Map<string, IndexedSubscription>>();

  /** @param destinations slugs that this build can serve: only their topics exist. */
  constructor(
    private readonly targetOf: (connectionId: string) => Target | undefined,
    private readonly destinations: readonly string[],
  ) {}

  put(id: string, row: Subscription | undefined): void {
    this.remove(id);
    if (!row) return;
    const compiled = row.filter === null ? undefined : compileFilter(row.filter);
    const indexed: IndexedSubscription = {
      row,
      filter: compiled?.ok ? compiled.filter : undefined,
      filterProblem: compiled && !compiled.ok ? compiled.reason : undefined,
    };
    this.byId.set(id, indexed);
    for (const type of row.events) {
      const at = typeKey(row.tenant, type);
      const entries = this.byType.get(at) ?? new Map<string, IndexedSubscription>();
      entries.set(id, indexed);
      this.byType.set(at, entries);
    }
  }

  /** True when some subscription to this event has a filter, so that the event's data is needed. */
  needsData(tenant: string, type: string): boolean {
    for (const entry of this.entries(tenant, type)) if (entry.filter) return true;
    return false;
  }

  /**
   * Deliveries for one event, in order of subscription id, and who was passed over and why.
   * @param event with data when `needsData` said so.
   */
  route(event: CanonicalEvent): Routing {
    const deliveries: PlannedDelivery[] = [];
    const skipped: SkippedSubscription[] = [];
    for (const entry of this.entries(event.tenant, event.type)) {
      const reason = this.reasonToSkip(entry, event);
      if (reason !== undefined) skipped.push({ subscriptionId: entry.row.id, reason });
      else deliveries.push(this.planned(entry.row, event));
    }
    return { deliveries, skipped };
  }

  private entries(tenant: string, type: string): IndexedSubscription[] {
    const entries = this.byType.get(typeKey(tenant, type));
    return entries ? [...entries.values()].sort((a, b) => (a.row.id < b.row.id ? -1 : 1)) : [];
  }

  private reasonToSkip({ row, filter, filterProblem }: IndexedSubscription, event: CanonicalEvent): string | undefined {
    const target = this.targetOf(row.to);
    if (!target) return `inactive: connection ${row.to} does not exist`;
    if (!target.destination) return `inactive: connection ${row.to} is not a destination`;
    if (!this.destinations.includes(target.destination)) {
      return `inactive: destination ${target.destination} is not known to this build`;
    }
    if (target.tenant !== row.tenant) return `inactive: connection ${row.to} belongs to another tenant`;
    if (filterProblem !== undefined) return `inactive: filter ${filterProblem}`;
    if (!filter) return undefined;
    const verdict = filter(event);
    if (verdict.kind === 'match') return undefined;
    return verdict.kind === 'no-match' ? 'filter' : `filter failed: ${verdict.reason}`;
  }

  private planned(row: Subscription, event: CanonicalEvent): PlannedDelivery {
    return {
      deliveryId: deliveryId(event.source, event.id, row.id),
      subscriptionId: row.id,
      connectionId: row.to,
      destination: this.targetOf(row.to)?.destination ?? '',
      operation: row.operation,
    };
  }

  private remove(id: string): void {
    const before = this.byId.get(id);
    if (!before) return;
    this.byId.delete(id);
    for (const type of before.row.events) {
      const at = typeKey(before.row.tenant, type);
      const entries = this.byType.get(at);
      entries?.delete(id);
      if (entries?.size === 0) this.byType.delete(at);
    }
  }
}

const typeKey = (tenant: string, type: string): string => `${tenant} ${type}`;
