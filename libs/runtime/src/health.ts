import type { RuntimeSnapshot } from '@tributary/kafka';
import type { Metrics } from '@tributary/telemetry';
import { liveState, pageOf } from './live-state.js';

export interface HealthAnswer {
  readonly status: number;
  readonly contentType: string;
  readonly body: string;
}

/** What a probe is told. Empty means ready. */
export type Unreadiness = readonly string[];

export interface HealthSources {
  /** Why the service cannot take work now, one sentence each; never about Kafka or a database in liveness. */
  readonly whyNotReady: () => Unreadiness;
  readonly metrics: Metrics;
  /** Everything that consumers hold: lanes, gates, pauses. Undefined where nothing is consumed. */
  readonly snapshot?: () => RuntimeSnapshot[] | undefined;
}

/** Where the operational endpoints are; probes and scrapes of a deployment are made from this. */
export const healthPaths = { live: '/health/live', ready: '/health/ready', metrics: '/metrics' } as const;

/** Answers of the operational endpoints, whatever server carries them. */
export class Health {
  private stopping = false;
  private starting = true;

  constructor(private readonly sources: HealthSources) {}

  /** Until `endStart`: whatever is asked that is not here may be there soon. */
  get isStarting(): boolean {
    return this.starting;
  }

  endStart(): void {
    this.starting = false;
  }

  /** From now on not ready: traffic is sent elsewhere while we finish. */
  beginShutdown(): void {
    this.stopping = true;
  }

  /** Undefined when the path is none of ours. */
  async answer(method: string, target: string): Promise<HealthAnswer | undefined> {
    if (method !== 'GET' && method !== 'HEAD') return undefined;
    // Not by URL: it throws for targets such as `//`, and anybody may ask for those.
    const [path = '', query = ''] = target.split('?', 2);
    switch (path) {
      case '/state':
        return this.state(query);
      case healthPaths.live:
        return json(200, { status: 'live' });
      case healthPaths.ready:
        return this.readiness();
      case healthPaths.metrics:
        return { status: 200, contentType: 'text/plain; version=0.0.4', body: await this.sources.metrics.scrape() };
      case '/debug/runtime':
        return this.runtime();
      default:
        return undefined;
    }
  }

  private runtime(): HealthAnswer | undefined {
    const snapshot = this.sources.snapshot?.();
    return snapshot && json(200, snapshot);
  }

  private state(query: string): HealthAnswer | undefined {
    const snapshot = this.sources.snapshot?.();
    if (!snapshot) return undefined;
    const page = pageOf(query);
    if (typeof page === 'string') return json(400, { reason: page });
    return json(200, liveState(snapshot, page, Date.now()));
  }

  private readiness(): HealthAnswer {
    const reasons = this.stopping ? ['shutting down'] : this.sources.whyNotReady();
    return reasons.length === 0 ? json(200, { status: 'ready' }) : json(503, { status: 'not ready', reasons });
  }
}

function json(status: number, body: unknown): HealthAnswer {
  const text = JSON.stringify(body, (_, value) => (typeof value === 'bigint' ? value.toString() : value));
  return { status, contentType: 'application/json', body: `${text}\n` };
}
