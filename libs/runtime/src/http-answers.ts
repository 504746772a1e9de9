import { randomUUID } from 'node:crypto';
import { STATUS_CODES } from 'node:http';
import type { Socket } from 'node:net';
import type { Answer } from '@tributary/pipeline';

/** What we use of a Fastify reply. */
interface Reply {
  code(status: number): Reply;
  header(name: string, value: string): Reply;
  headers(values: Readonly<Record<string, string>>): Reply;
  send(body: string): Reply;
}

export function sendAnswer(reply: Reply, { status, headers, body, problem }: Answer, correlationId: string): void {
  reply.code(status).header('x-correlation-id', correlationId);
  if (headers) reply.headers(headers);
  if (!problem) {
    reply.send(body ?? '');
    return;
  }
  reply.header('content-type', 'application/problem+json');
  reply.send(problemText(status, problem, correlationId));
}

export const nothingHere: Answer = {
  status: 404,
  problem: { code: 'not-found', detail: 'there is nothing here' },
};

export const problemCode = (status: number): string =>
  status === 413 ? 'body-too-large' : status === 415 ? 'content-type' : 'request-invalid';

/** What is wrong before there is a route: a path that cannot be read, or bytes that are no HTTP. Options of a Fastify server. */
export const serverErrors = {
  frameworkErrors: (error: { readonly statusCode?: number }, _request: unknown, reply: unknown): void =>
    sendAnswer(reply as Reply, unreadable(error.statusCode ?? 400), randomUUID()),
  clientErrorHandler: (error: NodeJS.ErrnoException, socket: Socket): void => {
    // Reset by the sender: nobody is there to be told.
    if (error.code !== 'ECONNRESET' && socket.writable) socket.write(rawAnswer(statusOf(error)));
    socket.destroy();
  },
};

const problemText = (status: number, problem: NonNullable<Answer['problem']>, correlationId: string): string =>
  JSON.stringify({ type: 'about:blank', title: STATUS_CODES[status], status, ...problem, correlationId });

const unreadable = (status: number) => ({
  status,
  problem: { code: problemCode(status), detail: 'the request cannot be read' },
});

function statusOf({ code }: NodeJS.ErrnoException): number {
  if (code === 'ERR_HTTP_REQUEST_TIMEOUT') return 408;
  return code === 'HPE_HEADER_OVERFLOW' ? 431 : 400;
}

function rawAnswer(status: number): string {
  const correlationId = randomUUID();
  const body = problemText(status, unreadable(status).problem, correlationId);
  const headers = [
    `content-length: ${Buffer.byteLength(body)}`,
    'content-type: application/problem+json',
    `x-correlation-id: ${correlationId}`,
    'connection: close',
  ];
  return `HTTP/1.1 ${status} ${STATUS_CODES[status]}\r\n${headers.join('\r\n')}\r\n\r\n${body}`;
}
