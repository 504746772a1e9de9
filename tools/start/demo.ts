import { join } from 'node:path';
import { proofPorts } from '@tributary/operations';
import { type ProofReport, prove, waitingIn } from '@tributary/proof';
import { registry } from '@tributary/registry';
import { type SendFault, type SendReport, sendWebhooks } from '@tributary/vendor-simulator';
import { repositoryRoot } from '../local-stack/index.js';
import type { Environment } from './environment.js';

export interface DemoResult {
  readonly sent: ReadonlyMap<string, readonly SendReport[]>;
  readonly proof: ProofReport;
  /** Seconds from the first webhook to the last settlement. */
  readonly seconds: number;
}

interface Wave {
  readonly count: number;
  readonly prefix: string;
  readonly faults?: readonly SendFault[];
}

interface Sender {
  readonly source: string;
  readonly connection: string;
  readonly secret: string;
  readonly waves: readonly Wave[];
}

/** 200 webhooks: 185 events, 12 of them sent again, two forged and one signed over an unreadable body. */
function senders({ secrets }: Environment, run: string): Sender[] {
  const again = (count: number): Wave => ({ count, prefix: run });
  return [
    {
      source: 'gusto',
      connection: 'demo-gusto',
      secret: secrets.DEMO_GUSTO_TOKEN,
      waves: [{ count: 45, prefix: run }, again(3), { count: 1, prefix: `${run}-forged`, faults: ['wrong-secret'] }],
    },
    {
      source: 'stripe',
      connection: 'demo-stripe',
      secret: secrets.DEMO_STRIPE_SECRET,
      waves: [{ count: 50, prefix: run }, again(3), { count: 1, prefix: `${run}-forged`, faults: ['altered-body'] }],
    },
    {
      source: 'github',
      connection: 'demo-github',
      secret: secrets.DEMO_GITHUB_SECRET,
      waves: [{ count: 45, prefix: run }, again(3), { count: 1, prefix: `${run}-poison`, faults: ['unreadable-body'] }],
    },
    {
      source: 'standard-webhooks',
      connection: 'demo-crm',
      secret: secrets.DEMO_STANDARD_SECRET,
      waves: [{ count: 45, prefix: run }, again(3)],
    },
  ];
}

export const demoIntegrations = join(repositoryRoot(), 'integrations/demo');

/** How long the HTTP destination answers 503, from the first webhook on. */
const outageMs = 1_500;
const settledWithinMs = 90_000;

/** Sends the demo's webhooks, breaks the destination for a while, and waits until every delivery is settled. */
export async function runDemo(environment: Environment, say: (line: string) => void): Promise<DemoResult> {
  const startedAt = Date.now();
  const ingress = environment.services.get('ingress');
  if (!ingress) throw new Error('ingress is not running');
  await order(environment, 'PUT', '/faults/demo', { status: 503, forMs: outageMs });
  say(`sending 200 webhooks of four vendors; the HTTP destination answers 503 for ${outageMs / 1000} s`);
  const run = startedAt.toString(36);
  const sent = await Promise.all(
    senders(environment, run).map(async ({ source, connection, secret, waves }) => {
      const reports: SendReport[] = [];
      // One wave after the other: a repeat comes after the event it repeats, as with a vendor.
      for (const wave of waves) {
        reports.push(
          ...(await sendWebhooks({
            source,
            url: `${ingress.url}/webhooks/${connection}`,
            secrets: [secret],
            concurrency: 4,
            ...wave,
          })),
        );
      }
      return [source, reports] as const;
    }),
  );
  say('waiting until every delivery is settled');
  const proof = await untilSettled(environment, Date.now() + settledWithinMs);
  return { sent: new Map(sent), proof, seconds: (Date.now() - startedAt) / 1000 };
}

/** Proves again and again until nothing waits any more, or the time is over. */
export async function untilSettled(
  world: Pick<Environment, 'platform' | 'admin' | 'database'>,
  deadline: number,
): Promise<ProofReport> {
  const ports = proofPorts(world, { waitMs: 20_000, from: null, to: null });
  const scope = {
    sources: [...registry.sources.keys()],
    destinations: [...registry.destinations.keys()],
    from: null,
    to: null,
  };
  for (;;) {
    const report = await prove(ports, scope);
    if ((waitingIn(report) === 0 && report.ledger.waiting === 0) || Date.now() > deadline) return report;
    await new Promise((resolve) => setTimeout(resolve, 250));
  }
}

export async function order(
  { sandbox }: Pick<Environment, 'sandbox'>,
  method: 'PUT' | 'DELETE',
  path: string,
  body?: object,
): Promise<void> {
  const answer = await fetch(`${sandbox.url}${path}`, { method, ...(body && { body: JSON.stringify(body) }) });
  if (!answer.ok) throw new Error(`the sandbox answers ${answer.status} to ${method} ${path}: ${await answer.text()}`);
}
