import { setTimeout as wait } from 'node:timers/promises';
import { retryAfterMs } from '@tributary/domain';
import type { FastifyReply } from 'fastify';
import type { EffectStore } from './effect-store.js';
import type { FaultBoard, FaultOrder } from './fault-board.js';

export interface Answer {
  readonly status: number;
  readonly headers?: Readonly<Record<string, string>>;
  readonly body?: unknown;
}

export interface Question {
  readonly faults: FaultBoard;
  readonly store: EffectStore;
  /** Whose requests are counted. */
  readonly target: string;
  /** The part of the target that is limited by itself, for example a channel: faults may be posted for `<target>:<part>` too. */
  readonly part?: string;
  readonly reply: FastifyReply;
}

/** Answers a request as its target would, or as the fault that is posted for the target says. */
export async function answerUnderFaults(question: Question, act: () => Answer): Promise<void> {
  const { faults, store, target, part, reply } = question;
  const limited = part === undefined ? target : `${target}:${part}`;
  const arrivedAtMs = Date.now();
  const startedAt = performance.now();
  const send = (answer: Answer) => {
    sendTo(reply, answer);
    store.noteAnswer(target, { atMs: arrivedAtMs, status: answer.status, durationMs: performance.now() - startedAt });
  };
  store.noteArrival(target, limited, arrivedAtMs);
  const fault = faults.meet(limited) ?? (limited === target ? undefined : faults.meet(target));
  if (fault?.latencyMs) await wait(fault.latencyMs);
  if (fault?.dropAfterEffect) {
    act();
    reply.hijack();
    reply.raw.destroy();
    return;
  }
  if (fault?.answerAfterMs) {
    const answer = act();
    await wait(fault.answerAfterMs);
    send(answer);
    return;
  }
  const instead = insteadOf(fault);
  if (!instead) {
    send(act());
    return;
  }
  store.log(target, { atMs: arrivedAtMs, status: instead.status, key: part ?? '', reason: 'fault' });
  const patienceMs = retryAfterMs(instead.headers?.['retry-after'], Date.now());
  // From the answer on: a sender cannot know it earlier.
  if (patienceMs !== undefined) store.askForPatience(limited, Date.now() + patienceMs);
  send(instead);
}

/** Undefined: nothing is answered instead. */
function insteadOf(fault: FaultOrder | undefined): Answer | undefined {
  if (fault?.redirectTo !== undefined) return { status: fault.status ?? 302, headers: { location: fault.redirectTo } };
  if (fault?.status === undefined) return undefined;
  const headers = fault.retryAfter === undefined ? {} : { 'retry-after': String(fault.retryAfter) };
  return { status: fault.status, headers, body: { error: 'fault' } };
}

function sendTo(reply: FastifyReply, { status, headers = {}, body }: Answer): void {
  void reply
    .code(status)
    .headers(headers)
    .send(body ?? null);
}
