import { Pool } from 'undici';
import { issueOpened, signedHeaders } from '../github-issue.js';
import { nowMs } from './arrivals.js';

const subjects = 1_000;
const connections = 64;

export interface Sent {
  /** The moment at which it was due; a sender that is late does not make the measured time shorter. */
  readonly dueMs: number;
  /** When its 200 was here; undefined without one. */
  acceptedMs: number | undefined;
}

/** Sends GitHub's `issues` webhooks of about 1 kB, each with an id of its own, at a fixed rate whatever the answers take. */
export class OpenLoad {
  /** By the number in the event's id. */
  readonly sent: Sent[] = [];
  accepted = 0;
  refused = 0;
  /** What the last webhook that was not accepted met. */
  lastRefusal: string | undefined;
  private readonly pool: Pool;

  constructor(
    url: string,
    private readonly path: string,
    private readonly secret: string,
  ) {
    this.pool = new Pool(url, { connections, pipelining: 1 });
  }

  get answered(): number {
    return this.accepted + this.refused;
  }

  /** Resolves when the last one is sent. */
  async run(perSecond: number, seconds: number): Promise<void> {
    const startedAt = nowMs();
    const total = Math.round(perSecond * seconds);
    for (let done = 0; done < total; ) {
      const due = Math.min(total, Math.floor(((nowMs() - startedAt) * perSecond) / 1000) + 1);
      for (; done < due; done++) this.send(startedAt + (done * 1000) / perSecond);
      await new Promise((resolve) => setTimeout(resolve, 1));
    }
  }

  close(): Promise<void> {
    return this.pool.close();
  }

  private send(dueMs: number): void {
    const n = this.sent.length;
    const one: Sent = { dueMs, acceptedMs: undefined };
    this.sent.push(one);
    const body = issueOpened(n % subjects);
    const headers = signedHeaders(`e2e-${n}`, body, this.secret);
    let status = 0;
    this.pool.dispatch(
      { path: this.path, method: 'POST', body, headers },
      {
        // undici calls both without asking whether they are there.
        onRequestStart: () => undefined,
        onResponseData: () => undefined,
        onResponseStart: (_controller, code) => {
          status = code;
        },
        onResponseEnd: () => this.note(one, `status ${status}`),
        onResponseError: (_controller, error) => this.note(one, error.message),
      },
    );
  }

  private note(one: Sent, answer: string): void {
    if (answer !== 'status 200') {
      this.refused += 1;
      this.lastRefusal = answer;
      return;
    }
    one.acceptedMs = nowMs();
    this.accepted += 1;
  }
}
