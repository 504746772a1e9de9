import { senders, sendWebhooks } from '@tributary/vendor-simulator';

export interface LoadOptions {
  readonly url: string;
  readonly secret: string;
  readonly events: number;
  /** Events of one key are sent one after the other; keys side by side. */
  readonly keys: number;
  /** Most events a second over all keys. */
  readonly perSecond: number;
  /** Part of every id, so that runs do not meet. */
  readonly prefix: string;
  readonly onProgress?: (sent: number) => void;
}

export interface LoadResult {
  /** Ids in the order in which they were sent, by key. */
  readonly sentByKey: ReadonlyMap<string, readonly string[]>;
  /** Requests that were sent again because no 2xx came. */
  readonly resent: number;
}

const contactTypes = ['contact.created', 'contact.updated', 'contact.subscribed', 'contact.unsubscribed'] as const;

/** Sends events as a vendor would: each until it is answered 2xx, and the next of its key only then. */
export async function sendLoad(options: LoadOptions): Promise<LoadResult> {
  if (!senders.has('standard-webhooks')) throw new Error('the simulator has no Standard Webhooks sender');
  const sentByKey = new Map<string, string[]>();
  const startedAt = Date.now();
  let sent = 0;
  let resent = 0;
  let next = 0;

  const worker = async (key: string) => {
    const ids: string[] = [];
    sentByKey.set(key, ids);
    for (;;) {
      const n = next++;
      if (n >= options.events) return;
      await untilTime(startedAt + (n * 1000) / options.perSecond);
      const id = `msg_${options.prefix}_${n}`;
      resent += await sendUntilAccepted(options, key, id, n);
      ids.push(id);
      sent += 1;
      options.onProgress?.(sent);
    }
  };
  await Promise.all(Array.from({ length: options.keys }, (_, k) => worker(`${options.prefix}-key-${k}`)));
  return { sentByKey, resent };
}

async function sendUntilAccepted({ url, secret }: LoadOptions, key: string, id: string, n: number): Promise<number> {
  const type = contactTypes[n % contactTypes.length] as string;
  const body = { type, timestamp: new Date().toISOString(), data: { id: key, n } };
  for (let tries = 0; ; tries++) {
    const [report] = await sendWebhooks({
      source: 'standard-webhooks',
      url,
      secrets: [secret],
      events: [{ id, type, body }],
    });
    if (report && report.status >= 200 && report.status < 300) return tries;
    if (report && report.status >= 400 && report.status < 500 && report.status !== 429) {
      throw new Error(`ingress refuses ${id} with ${report.status}`);
    }
    await untilTime(Date.now() + 100);
  }
}

const untilTime = (at: number): Promise<void> =>
  new Promise((resolve) => setTimeout(resolve, Math.max(0, at - Date.now())));
