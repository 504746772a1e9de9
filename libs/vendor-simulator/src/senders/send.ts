import { request } from 'undici';
import { callsFor, type SendFault, type WebhookCall } from './faults.js';
import { githubSender } from './github.js';
import { gustoSender } from './gusto.js';
import type { VendorEvent, VendorSender } from './sender.js';
import { standardWebhooksSender } from './standard-webhooks.js';
import { stripeSender } from './stripe.js';

export const senders: ReadonlyMap<string, VendorSender> = new Map(
  [githubSender, gustoSender, standardWebhooksSender, stripeSender].map((sender) => [sender.source, sender]),
);

export interface SendOrder {
  readonly source: string;
  readonly url: string;
  readonly secrets: readonly string[];
  /** The events themselves, or how many samples to make. */
  readonly events?: readonly VendorEvent[];
  readonly count?: number;
  /** Goes into the sample's ids: the same prefix sends the same events again. */
  readonly prefix?: string;
  /** Each event is sent once with each; absent: sent once, without fault. */
  readonly faults?: readonly SendFault[];
  /** Requests at once. 1 keeps the order. */
  readonly concurrency?: number;
  readonly nowMs?: () => number;
}

export interface SendReport {
  readonly eventId: string;
  readonly type: string;
  readonly fault?: SendFault;
  /** HTTP status; 0 when no answer came. */
  readonly status: number;
  readonly durationMs: number;
  readonly error?: string;
}

/** Sends webhooks as the vendor would. @throws Error when the source is not one it can imitate. */
export async function sendWebhooks(order: SendOrder): Promise<readonly SendReport[]> {
  const sender = senders.get(order.source);
  if (!sender) throw new Error(`no sender imitates ${order.source}; there are ${[...senders.keys()].join(', ')}`);
  const events = order.events ?? samplesOf(sender, order.count ?? 1, order.prefix ?? 'demo');
  const faults: readonly (SendFault | undefined)[] = order.faults ?? [undefined];
  const jobs = events.flatMap((event) => faults.map((fault) => ({ event, fault })));
  return inOrder(jobs, order.concurrency ?? 1, ({ event, fault }) => sendOne(sender, event, fault, order));
}

const samplesOf = (sender: VendorSender, count: number, prefix: string): readonly VendorEvent[] =>
  Array.from({ length: count }, (_, n) => sender.sample(n, prefix));

async function sendOne(
  sender: VendorSender,
  event: VendorEvent,
  fault: SendFault | undefined,
  { url, secrets, nowMs = Date.now }: SendOrder,
): Promise<readonly SendReport[]> {
  const reports: SendReport[] = [];
  for (const call of callsFor(sender, event, { secrets, nowMs: nowMs(), ...(fault && { fault }) })) {
    reports.push({ eventId: event.id, type: event.type, ...(fault && { fault }), ...(await post(url, call)) });
  }
  return reports;
}

async function post(
  url: string,
  { headers, body }: WebhookCall,
): Promise<Pick<SendReport, 'status' | 'durationMs' | 'error'>> {
  const startedAt = performance.now();
  const since = () => Math.round(performance.now() - startedAt);
  try {
    const reply = await request(url, { method: 'POST', headers: headers.flat(), body, headersTimeout: 10_000 });
    await reply.body.dump();
    return { status: reply.statusCode, durationMs: since() };
  } catch (error) {
    // A receiver that hangs up is a result of the experiment, not a failure of it.
    return { status: 0, durationMs: since(), error: error instanceof Error ? error.message : String(error) };
  }
}

/** Runs up to `width` jobs at once; reports come in the order of the jobs. */
async function inOrder<J, R>(
  jobs: readonly J[],
  width: number,
  run: (job: J) => Promise<readonly R[]>,
): Promise<readonly R[]> {
  const results: (readonly R[])[] = [];
  let next = 0;
  const worker = async () => {
    while (next < jobs.length) {
      const index = next++;
      results[index] = await run(jobs[index] as J);
    }
  };
  await Promise.all(Array.from({ length: Math.max(1, Math.min(width, jobs.length)) }, worker));
  return results.flat();
}
