import { Agent, type IncomingHttpHeaders, request } from 'node:http';

export type HeaderPairs = ReadonlyArray<readonly [string, string]>;

export interface RawReply {
  readonly status: number;
  readonly headers: IncomingHttpHeaders;
  readonly body: string;
}

export interface RawRequest {
  readonly method?: string;
  /** Name and value in turn, sent as they are: doubled, in any case. */
  readonly headers?: HeaderPairs;
  readonly body?: Buffer | string;
  readonly timeoutMs?: number;
}

// A connection of its own for each request: a refused body leaves the connection in no state for the next one.
const agent = new Agent({ keepAlive: false, maxSockets: 64 });

/** One request, byte for byte as asked. @throws Error when no answer comes. */
export function send(
  url: string,
  { method = 'POST', headers = [], body = '', timeoutMs }: RawRequest,
): Promise<RawReply> {
  const target = new URL(url);
  const bytes = Buffer.from(body);
  const length = method === 'GET' ? [] : [['Content-Length', String(bytes.length)] as const];
  const all = [['Host', target.host] as const, ...length, ...headers];
  return new Promise((resolve, reject) => {
    const sent = request(
      { agent, host: target.hostname, port: target.port, path: pathOf(url), method, headers: all.flat() },
      (response) => {
        const chunks: Buffer[] = [];
        response.on('data', (chunk: Buffer) => chunks.push(chunk));
        response.on('error', reject);
        response.on('end', () =>
          resolve({
            status: response.statusCode ?? 0,
            headers: response.headers,
            body: Buffer.concat(chunks).toString('utf8'),
          }),
        );
      },
    );
    sent.on('error', reject);
    sent.setTimeout(timeoutMs ?? 30_000, () => sent.destroy(new Error(`no answer from ${url}`)));
    sent.end(bytes);
  });
}

// URL would tidy the path up, and hostile paths must arrive as they are.
const pathOf = (url: string): string => url.slice(url.indexOf('/', 'http://'.length));
