import { setTimeout as wait } from 'node:timers/promises';
import type { FastifyReply } from 'fastify';
import type { FaultBoard } from './fault-board.js';

export interface Answer {
  readonly status: number;
  readonly headers?: Readonly<Record<string, string>>;
  readonly body?: unknown;
}

/** Answers a request as its target would, or as the fault that is posted for the target says. */
export async function answerUnderFaults(
  faults: FaultBoard,
  target: string,
  reply: FastifyReply,
  act: () => Answer,
): Promise<void> {
  const fault = faults.meet(target);
  if (fault?.latencyMs) await wait(fault.latencyMs);
  const headers = fault?.retryAfter === undefined ? {} : { 'retry-after': String(fault.retryAfter) };
  if (fault?.dropAfterEffect) {
    act();
    reply.hijack();
    reply.raw.destroy();
    return;
  }
  if (fault?.redirectTo !== undefined)
    return send(reply, { status: fault.status ?? 302, headers: { location: fault.redirectTo } });
  if (fault?.status !== undefined) return send(reply, { status: fault.status, headers, body: { error: 'fault' } });
  send(reply, act());
}

function send(reply: FastifyReply, { status, headers = {}, body }: Answer): void {
  void reply
    .code(status)
    .headers(headers)
    .send(body ?? null);
}
