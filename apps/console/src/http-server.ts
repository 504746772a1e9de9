import { randomUUID } from 'node:crypto';
import type { AuditApi } from '@tributary/operations/audit';
import type { Answer } from '@tributary/pipeline';
import { type Health, nothingHere, problemCode, sendAnswer } from '@tributary/runtime';
import type { Logger, Metrics } from '@tributary/telemetry';
import type { FastifyError, FastifyInstance, FastifyReply, FastifyRequest } from 'fastify';

export interface HttpServerParts {
  readonly audit: Pick<AuditApi, 'answer'>;
  readonly health: Pick<Health, 'answer'>;
  readonly metrics: Pick<Metrics, 'add' | 'record'>;
  readonly logger: Logger;
}

export function addRoutes(fastify: FastifyInstance, parts: HttpServerParts): void {
  // On the route, because Nest sets the error handler of the whole server when it starts to listen.
  const errorHandler = (error: FastifyError, _request: FastifyRequest, reply: FastifyReply) =>
    sendAnswer(reply, refused(parts, error), randomUUID());
  // Nest has the not-found handler; a route for everything keeps our form of answer.
  fastify.all('/*', { errorHandler }, (request, reply) => answer(parts, request, reply));
}

async function answer(parts: HttpServerParts, request: FastifyRequest, reply: FastifyReply): Promise<void> {
  const { method, url, headers } = request;
  const startedAt = performance.now();
  const correlationId = randomUUID();
  const asked = { method, target: url, authorization: headers.authorization };
  const answered = await parts.audit.answer(asked).catch((error: Error) => internalError(parts, error, correlationId));
  if (answered) {
    parts.metrics.add('console.requests', 1, { status: answered.status });
    parts.metrics.record('console.request.duration', (performance.now() - startedAt) / 1000);
    sendAnswer(reply, answered, correlationId);
    return;
  }
  const operational = await parts.health.answer(method, url);
  if (operational)
    await reply.code(operational.status).header('content-type', operational.contentType).send(operational.body);
  else sendAnswer(reply, nothingHere, correlationId);
}

/** What was wrong before the route: a body that is too large, or of a type that nobody takes. */
function refused(parts: HttpServerParts, error: FastifyError): Answer {
  const status = error.statusCode ?? 500;
  if (status >= 500) return internalError(parts, error, randomUUID());
  return { status, problem: { code: problemCode(status), detail: 'the request cannot be read' } };
}

function internalError({ logger }: HttpServerParts, error: Error, correlationId: string): Answer {
  logger.error({ error, correlationId }, 'request.failed');
  return {
    status: 503,
    headers: { 'retry-after': '30' },
    problem: { code: 'internal', detail: 'the request could not be answered; try again' },
  };
}
