import autocannon from 'autocannon';
import { issueOpened, signedHeaders } from '../github-issue.js';

export interface Round {
  readonly perSecond: number;
  readonly p50Ms: number;
  readonly p99Ms: number;
  readonly failed: number;
}

const subjects = 64;

/** GitHub's `issues` events, about 1 kB each, over many subjects, signed. */
function requests(path: string, secret: string, run: string) {
  return Array.from({ length: subjects }, (_, n) => {
    const body = issueOpened(n);
    return { method: 'POST' as const, path, body, headers: signedHeaders(`${run}-${n}`, body, secret) };
  });
}

export interface LoadOptions {
  readonly url: string;
  readonly path: string;
  readonly secret: string;
  readonly seconds: number;
  readonly connections: number;
  readonly run: string;
}

/** Keeps so many connections busy for so many seconds. Counts only 2xx as done. */
export async function measure({ url, path, secret, seconds, connections, run }: LoadOptions): Promise<Round> {
  const result = await autocannon({ url, connections, duration: seconds, requests: requests(path, secret, run) });
  return {
    perSecond: result['2xx'] / result.duration,
    p50Ms: result.latency.p50,
    p99Ms: result.latency.p99,
    failed: result.non2xx + result.errors + result.timeouts,
  };
}
