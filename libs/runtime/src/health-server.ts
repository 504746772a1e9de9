import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import type { Health, HealthAnswer } from './health.js';

/** A sender that hears 404 may never come again, and this is about to be its address. */
const elsewhere = ({ isStarting }: Health): HealthAnswer =>
  isStarting
    ? { status: 503, contentType: 'text/plain', body: 'starting\n' }
    : { status: 404, contentType: 'text/plain', body: 'not found\n' };

/** Serves `/health/live`, `/health/ready`, `/metrics`, `/state` and `/debug/runtime` for services without an HTTP API of their own. */
export class HealthServer {
  private constructor(private readonly server: Server) {}

  /** @throws Error when the port is taken. */
  static async listen(health: Health, host: string, port: number): Promise<HealthServer> {
    const server = createServer((request, response) => {
      health
        .answer(request.method ?? 'GET', request.url ?? '/')
        .then((answer) => {
          const { status, contentType, body } = answer ?? elsewhere(health);
          response.writeHead(status, { 'content-type': contentType, ...(status === 503 && { 'retry-after': '2' }) });
          response.end(body);
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
