import { once } from 'node:events';
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';

export interface ReceivedRequest {
  readonly method: string;
  readonly path: string;
  readonly headers: IncomingMessage['headers'];
  readonly body: string;
}

export type Responder = (request: ReceivedRequest, response: ServerResponse) => void;

export interface FaultServer {
  readonly url: string;
  /** Everything received since it was started or cleared. */
  readonly received: ReceivedRequest[];
  /** What it does with every request from now on. */
  respond(responder: Responder): void;
  close(): Promise<void>;
}

/** A real HTTP server on loopback that does what a test tells it to. */
export async function faultServer(): Promise<FaultServer> {
  const received: ReceivedRequest[] = [];
  let responder: Responder = (_request, response) => response.end();
  const server = createServer(async (request, response) => {
    const chunks: Buffer[] = [];
    for await (const chunk of request) chunks.push(chunk);
    const { method = '', url = '', headers } = request;
    const whole = { method, path: url, headers, body: Buffer.concat(chunks).toString('utf8') };
    received.push(whole);
    responder(whole, response);
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address() as AddressInfo;
  return {
    url: `http://127.0.0.1:${port}`,
    received,
    respond: (next) => {
      responder = next;
    },
    close: async () => {
      server.closeAllConnections();
      server.close();
      await once(server, 'close');
    },
  };
}

export const replying =
  (status: number, body: unknown = '', headers: Readonly<Record<string, string>> = {}): Responder =>
  (_request, response) => {
    response.writeHead(status, headers).end(typeof body === 'string' ? body : JSON.stringify(body));
  };

/** The request had its chance to take effect; the answer never comes. */
export const losingTheReply: Responder = (_request, response) => response.destroy();

export const neverReplying: Responder = () => undefined;

/** A port on loopback where nothing listens. */
export async function deafUrl(): Promise<string> {
  const server = await faultServer();
  await server.close();
  return server.url;
}
