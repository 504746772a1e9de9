import { randomUUID } from 'node:crypto';
import type { IncomingMessage } from 'node:http';
import { context, propagation, ROOT_CONTEXT, type Span, SpanKind, SpanStatusCode, trace } from '@opentelemetry/api';
import type { RequestHeaders, WebhookRequest } from '@tributary/connector-kit';
import type { Answer, PublishReceiver, WebhookReceiver } from '@tributary/pipeline';
import { type Health, nothingHere, problemCode, sendAnswer } from '@tributary/runtime';
import type { Logger, Metrics } from '@tributary/telemetry';
import type { FastifyError, FastifyInstance, FastifyReply, FastifyRequest } from 'fastify';

export interface HttpServerParts {
  readonly webhooks: WebhookReceiver;
  readonly publish: PublishReceiver;
  readonly health: Health;
  readonly metrics: Metrics;
  readonly logger: Logger;
}

const tracer = trace.getTracer('tributary.ingress');
const empty = Buffer.alloc(0);

/** The hot routes sit directly on Fastify: bodies must stay the bytes that were signed. */
export async function addRoutes(fastify: FastifyInstance, parts: HttpServerParts): Promise<void> {
  fastify.removeAllContentTypeParsers();
  fastify.addContentTypeParser('*', { parseAs: 'buffer' }, (_request, body, done) => done(null, body));
  // On each route, because Nest sets the error handler of the whole server when it starts to listen.
  const own = {
    errorHandler: (error: FastifyError, request: FastifyRequest, reply: FastifyReply) =>
      answerError(parts, error, request, reply),
  };
  // Nest has the not-found handler; a route for everything else keeps our form of answer.
  fastify.all('/*', own, (request, reply) => operational(parts, request, reply));
  fastify.post<{ Params: { connectionId: string } }>('/webhooks/:connectionId', own, async (request, reply) => {
    const { connectionId } = request.params;
    await answering(parts, request, reply, ROOT_CONTEXT, async () => {
      return refusedEncoding(request) ?? parts.webhooks.receive(connectionId, webhookRequest(request));
    });
  });
  fastify.post('/v1/events', own, async (request, reply) => {
    const parent = propagation.extract(ROOT_CONTEXT, request.headers);
    await answering(parts, request, reply, parent, async () => {
      return refusedEncoding(request) ?? parts.publish.receive(publishRequest(request));
    });
  });
}

async function answering(
  parts: HttpServerParts,
  request: FastifyRequest,
  reply: FastifyReply,
  parent: typeof ROOT_CONTEXT,
  act: () => Promise<Answer>,
): Promise<void> {
  const startedAt = performance.now();
  const route = request.routeOptions.url ?? '';
  const attributes = { 'http.request.method': request.method, 'http.route': route, 'url.scheme': 'http' };
  const span = tracer.startSpan(`${request.method} ${route}`, { kind: SpanKind.SERVER, attributes }, parent);
  const answer = await context
    .with(trace.setSpan(parent, span), act)
    .catch((error: Error) => internalError(parts, error));
  endSpan(span, answer);
  const labels = { source: answer.source ?? 'unknown', status: answer.status };
  countRejection(parts.metrics, labels.source, answer);
  parts.metrics.add('ingress.requests', 1, labels);
  parts.metrics.record('ingress.request.duration', (performance.now() - startedAt) / 1000, { source: labels.source });
  sendAnswer(reply, answer, correlationIdOf(span));
}

/** Codes of problems are a closed list; what is ours to mend is no rejection. */
function countRejection(metrics: HttpServerParts['metrics'], source: string, { status, problem }: Answer): void {
  if (problem && status < 500) metrics.add('ingress.rejections', 1, { source, reason: problem.code });
}

function endSpan(span: Span, answer: Answer): void {
  span.setAttribute('http.response.status_code', answer.status);
  if (answer.status >= 500)
    span.setStatus({ code: SpanStatusCode.ERROR }).setAttribute('error.type', String(answer.status));
  span.end();
}

function correlationIdOf(span: Span): string {
  const { traceId } = span.spanContext();
  return /^0+$/.test(traceId) ? randomUUID() : traceId;
}

// The reason is in our log under the correlation id; the sender learns that trying again is right.
function internalError({ logger }: HttpServerParts, error: Error): Answer {
  logger.error({ error }, 'request.failed');
  return {
    status: 503,
    headers: { 'retry-after': '30' },
    problem: { code: 'internal', detail: 'the request could not be handled; try again' },
  };
}

/** Failures before a handler ran: a body too large, a broken request. */
function answerError(parts: HttpServerParts, error: FastifyError, request: FastifyRequest, reply: FastifyReply): void {
  const status = error.statusCode ?? 500;
  const answer: Answer =
    status < 500
      ? { status, problem: { code: problemCode(status), detail: error.message } }
      : internalError(parts, error);
  parts.metrics.add('ingress.requests', 1, { source: 'unknown', status: answer.status });
  countRejection(parts.metrics, 'unknown', answer);
  // Closed at once, the connection is reset under a sender that is still writing, and it never reads our answer.
  if (Number(request.headers['content-length']) <= mostDrainedBytes) reply.removeHeader('connection');
  sendAnswer(reply, answer, randomUUID());
}

/** Rest of a refused body that is read and thrown away. */
const mostDrainedBytes = 16 * 1024 * 1024;

/** We never inflate what comes in: a few bytes could become gigabytes, and what is signed is what is on the wire. */
function refusedEncoding(request: FastifyRequest): Answer | undefined {
  const encoding = request.headers['content-encoding'];
  if (encoding === undefined || encoding.trim().toLowerCase() === 'identity') return undefined;
  return { status: 415, problem: { code: 'content-encoding', detail: 'send the body without Content-Encoding' } };
}

function webhookRequest(request: FastifyRequest): WebhookRequest {
  return {
    method: request.method,
    path: request.url,
    headers: new ReceivedHeaders(request.raw),
    body: (request.body as Buffer | undefined) ?? empty,
    receivedAtMs: Date.now(),
  };
}

/** Looks at the few headers that are asked for. Only a joined value makes Node take all of them apart again. */
class ReceivedHeaders implements RequestHeaders {
  constructor(private readonly message: IncomingMessage) {}

  get(name: string): readonly string[] | undefined {
    const value = this.message.headers[name];
    if (value === undefined) return undefined;
    if (Array.isArray(value)) return value;
    return value.includes(',') || (firstWins.has(name) && this.comesAgain(name))
      ? this.message.headersDistinct[name]
      : [value];
  }

  private comesAgain(name: string): boolean {
    const { rawHeaders } = this.message;
    let count = 0;
    for (let i = 0; i < rawHeaders.length; i += 2) {
      const raw = rawHeaders[i] as string;
      if (raw.length === name.length && (raw === name || raw.toLowerCase() === name)) count += 1;
    }
    return count > 1;
  }

  has(name: string): boolean {
    return this.message.headers[name] !== undefined;
  }
}

/** Of these Node keeps the first occurrence only, so a second one does not show in the joined value. */
const firstWins = new Set(['authorization', 'content-type', 'content-length', 'host', 'user-agent', 'from', 'referer']);

function publishRequest(request: FastifyRequest) {
  const { authorization, 'content-type': contentType = '', 'idempotency-key': key } = request.headers;
  return {
    contentType,
    authorization,
    idempotencyKey: Array.isArray(key) ? key[0] : key,
    body: (request.body as Buffer | undefined) ?? empty,
    receivedAtMs: Date.now(),
  };
}

async function operational(parts: HttpServerParts, request: FastifyRequest, reply: FastifyReply): Promise<void> {
  const path = request.url.split('?', 1)[0] ?? '/';
  const answer = await parts.health.answer(request.method, path);
  if (answer) {
    await reply.code(answer.status).header('content-type', answer.contentType).send(answer.body);
    return;
  }
  sendAnswer(reply, nothingHere, randomUUID());
}
