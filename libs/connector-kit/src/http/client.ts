import { createRequire } from 'node:module';
import type { Agent } from 'undici';
import { type EgressGuard, EgressRefused, egressGuard } from './egress-guard.js';
import { Exchange } from './exchange.js';
import type { HttpFailure, HttpResult } from './reply.js';

export interface HttpRequest {
  readonly method: 'GET' | 'POST' | 'PUT' | 'PATCH' | 'DELETE';
  readonly url: string;
  readonly headers?: Readonly<Record<string, string>>;
  /** Sent as these very bytes: what was signed is what is sent. */
  readonly body?: Buffer | string;
  readonly signal?: AbortSignal;
  /** From now to the last byte of the answer. Absent: the client's default. */
  readonly timeoutMs?: number;
}

export interface PostOptions extends Omit<HttpRequest, 'method' | 'url' | 'body'> {
  readonly json: unknown;
  readonly bearer?: string;
}

/** How connectors talk to the world. Nothing the other side does makes it throw. Redirects are answers, not followed. */
export interface HttpClient {
  send(request: HttpRequest): Promise<HttpResult>;
  post(url: string, options: PostOptions): Promise<HttpResult>;
}

export interface HttpClientOptions {
  readonly guard?: EgressGuard;
  readonly connectTimeoutMs?: number;
  /** Of one attempt, where the request does not say. */
  readonly timeoutMs?: number;
  readonly maxReplyBytes?: number;
  /** Connections to one origin. */
  readonly connectionsPerOrigin?: number;
  readonly userAgent?: string;
}

export type ClosableHttpClient = HttpClient & { close(): Promise<void> };

export function httpClient(options: HttpClientOptions = {}): ClosableHttpClient {
  const { guard = egressGuard(), timeoutMs = 5000, maxReplyBytes = 1024 * 1024 } = options;
  const agent = agentFor(guard, options);
  const userAgent = options.userAgent ?? 'tributary';
  const targets = new Targets(guard);

  async function send(request: HttpRequest): Promise<HttpResult> {
    const target = targets.of(request.url);
    if ('kind' in target) return target;
    const exchange = new Exchange({ maxReplyBytes, timeoutMs: request.timeoutMs ?? timeoutMs, signal: request.signal });
    if (exchange.isOver) return exchange.result;
    try {
      agent.dispatch(
        {
          ...target,
          method: request.method,
          headers: { 'user-agent': userAgent, ...request.headers },
          body: request.body ?? null,
        },
        exchange,
      );
    } catch (error) {
      exchange.fail(error instanceof Error ? error : new Error(String(error)));
    }
    return exchange.result;
  }

  return {
    send,
    post: (url, { json, bearer, headers, ...rest }) =>
      send({
        ...rest,
        method: 'POST',
        url,
        headers: {
          'content-type': 'application/json; charset=utf-8',
          ...(bearer !== undefined && { authorization: `Bearer ${bearer}` }),
          ...headers,
        },
        body: JSON.stringify(json),
      }),
    close: () => agent.destroy(),
  };
}

/** Where a request goes, or why it must not. */
type Target = { readonly origin: string; readonly path: string } | HttpFailure;

const mostTargets = 1_000;

/** What the text of an address says does not change, so it is read once. What its name resolves to is checked at each connection. */
class Targets {
  private readonly known = new Map<string, Target>();

  constructor(private readonly guard: EgressGuard) {}

  of(address: string): Target {
    const known = this.known.get(address);
    if (known) return known;
    const target = this.read(address);
    if (this.known.size >= mostTargets) this.known.clear();
    this.known.set(address, target);
    return target;
  }

  private read(address: string): Target {
    if (!URL.canParse(address)) return { kind: 'not-sent', code: 'INVALID_URL', reason: 'the address is not a URL' };
    const url = new URL(address);
    const why = this.guard.refuseUrl(url);
    if (!why) return { origin: url.origin, path: url.pathname + url.search };
    const { code, message } = new EgressRefused(why);
    return { kind: 'not-sent', code, reason: message };
  }
}

// Loaded with the first client: services that call nobody are spared a fifth of their memory.
const load = createRequire(import.meta.url);

function agentFor(
  guard: EgressGuard,
  { connectTimeoutMs = 2000, connectionsPerOrigin = 64 }: HttpClientOptions,
): Agent {
  const { Agent, buildConnector } = load('undici') as typeof import('undici');
  const connectors = new Map(
    ['https:', 'http:'].map((protocol) => [
      protocol,
      buildConnector({ timeout: connectTimeoutMs, allowH2: false, lookup: guard.lookupFor(protocol) }),
    ]),
  );
  return new Agent({
    connect: (target, callback) => connectors.get(target.protocol)?.(target, callback),
    connections: connectionsPerOrigin,
    maxOrigins: 4096,
    // Shorter than what servers commonly allow: a connection that they close first makes a request's fate unknown.
    keepAliveTimeout: 4000,
    keepAliveMaxTimeout: 30_000,
    // The exchange has its own clock for the whole attempt.
    headersTimeout: 0,
    bodyTimeout: 0,
    allowH2: false,
  });
}
