import { type SendFault, sendWebhooks } from '@tributary/vendor-simulator';
import type { Environment } from '../start/environment.js';

const connections = {
  gusto: 'demo-gusto',
  stripe: 'demo-stripe',
  github: 'demo-github',
  'standard-webhooks': 'demo-crm',
} as const;
export type DemoSource = keyof typeof connections;

const roundMs = 250;
/** Of each source in each round. Samples are thousands in each prefix, so no two of a run are the same. */
const eventsInRound = 2;

/** Sends webhooks of four vendors at a steady rate until it is stopped. */
export class SteadyLoad {
  private round = 0;
  private readonly run = Date.now().toString(36);
  private running: Promise<void> | undefined;
  private isStopped = false;

  constructor(private readonly environment: Environment) {}

  start(): void {
    this.running = this.work();
  }

  async stop(): Promise<void> {
    this.isStopped = true;
    await this.running;
  }

  /** Beside the load: webhooks with a fault. */
  async sendFaulty(source: DemoSource, fault: SendFault, count: number): Promise<void> {
    await this.send(source, `${this.run}-${fault}-${this.round}`, count, [fault]);
  }

  private async work(): Promise<void> {
    while (!this.isStopped) {
      const next = Date.now() + roundMs;
      this.round += 1;
      const sources = Object.keys(connections) as DemoSource[];
      await Promise.all(sources.map((source) => this.send(source, `${this.run}-${this.round}`, eventsInRound)));
      await new Promise((resolve) => setTimeout(resolve, Math.max(0, next - Date.now())));
    }
  }

  private async send(source: DemoSource, prefix: string, count: number, faults?: readonly SendFault[]): Promise<void> {
    const ingress = this.environment.services.get('ingress');
    if (!ingress) throw new Error('ingress is not running');
    await sendWebhooks({
      source,
      url: `${ingress.url}/webhooks/${connections[source]}`,
      secrets: [this.secretOf(source)],
      count,
      prefix,
      concurrency: 2,
      ...(faults && { faults }),
    });
  }

  private secretOf(source: DemoSource): string {
    const { secrets } = this.environment;
    return {
      gusto: secrets.DEMO_GUSTO_TOKEN,
      stripe: secrets.DEMO_STRIPE_SECRET,
      github: secrets.DEMO_GITHUB_SECRET,
      'standard-webhooks': secrets.DEMO_STANDARD_SECRET,
    }[source];
  }
}
