import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import type { Health } from './health.js';

/** Serves `/health/live`, `/health/ready`, `/metrics`, `/state` and `/debug/runtime` for services without an HTTP API of their own. */
export class HealthServer {
  private constructor(private readonly server: Server) {}

  /** @throws Error when the port is taken. */
  static async listen(health: Health, host: string, port: number): Promise<HealthServer> {
    const server = createServer((request, response) => {
      health
        .answer(request.method ?? 'GET', request.url ?? '/')
        .then((answer) => {
          response.writeHead(answer?.status ?? 404, { 'content-type': answer?.contentType ?? 'text/plain' });
          response.end(answer?.body ?? 'not found\n');
        })
        .catch((error: Error) => {
          response.writeHead(500, { 'content-type': 'text/plain' });
          response.end(`${error.message}\n`);
        });
    });
    await new Promise<void>((resolve, reject) => {
      server.once('error', reject);
      server.listen(port, host, resolve);
    });
    return new HealthServer(server);
  }

  get port(): number {
    return (this.server.address() as AddressInfo).port;
  }

  async close(): Promise<void> {
    this.server.closeAllConnections();
    await new Promise<void>((resolve) => this.server.close(() => resolve()));
  }
}
