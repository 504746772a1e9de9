import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { gunzipSync } from 'node:zlib';

export interface ReceivedSpan {
  readonly service: string;
  readonly traceId: string;
  readonly spanId: string;
  /** Empty for the first span of a trace. */
  readonly parentSpanId: string;
  readonly name: string;
}

interface ExportRequest {
  readonly resourceSpans: ReadonlyArray<{
    readonly resource: { readonly attributes: ReadonlyArray<{ key: string; value: { stringValue?: string } }> };
    readonly scopeSpans: ReadonlyArray<{ readonly spans: ReadonlyArray<Omit<ReceivedSpan, 'service'>> }>;
  }>;
}

/** A collector that takes spans over OTLP/HTTP with JSON and remembers them. */
export class OtlpReceiver {
  private readonly spans: ReceivedSpan[] = [];

  private constructor(private readonly server: Server) {}

  static async listen(): Promise<OtlpReceiver> {
    const server = createServer();
    const receiver = new OtlpReceiver(server);
    server.on('request', (request, response) => {
      const chunks: Buffer[] = [];
      request.on('data', (chunk: Buffer) => chunks.push(chunk));
      request.on('end', () => {
        const bytes = Buffer.concat(chunks);
        receiver.take(request.headers['content-encoding'] === 'gzip' ? gunzipSync(bytes) : bytes);
        response.writeHead(200, { 'content-type': 'application/json' }).end('{}');
      });
    });
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    return receiver;
  }

  get url(): string {
    return `http://127.0.0.1:${(this.server.address() as AddressInfo).port}`;
  }

  ofTrace(traceId: string): ReceivedSpan[] {
    return this.spans.filter((span) => span.traceId === traceId);
  }

  async close(): Promise<void> {
    this.server.closeAllConnections();
    await new Promise<void>((resolve) => this.server.close(() => resolve()));
  }

  private take(body: Buffer): void {
    const { resourceSpans } = JSON.parse(body.toString('utf8')) as ExportRequest;
    for (const { resource, scopeSpans } of resourceSpans) {
      const service = resource.attributes.find(({ key }) => key === 'service.name')?.value.stringValue ?? '';
      for (const { traceId, spanId, parentSpanId = '', name } of scopeSpans.flatMap(({ spans }) => spans)) {
        this.spans.push({ service, traceId, spanId, parentSpanId, name });
      }
    }
  }
}
