import { createInterface } from 'node:readline/promises';
import type { Command } from 'commander';
import { output } from './output.js';
import { Session } from './session.js';

/** Said to the person, without a stack; the command exits with 1. */
export class CommandFailure extends Error {
  override readonly name = 'CommandFailure';
}

type Act<A extends unknown[]> = (session: Session, ...args: A) => Promise<void>;

/** Wraps a command: opens a session, closes it, and turns errors into one clear line. */
export function acting<A extends unknown[]>(program: Command, act: Act<A>): (...args: A) => Promise<void> {
  return async (...args) => {
    const { logLevel, actor } = program.opts<{ logLevel: string; actor?: string }>();
    const session = new Session(logLevel, actor);
    try {
      await act(session, ...args);
    } catch (error) {
      process.stderr.write(`tributary: ${describe(error)}\n`);
      process.exitCode = 1;
    } finally {
      await session
        .close()
        .catch((error: Error) => process.stderr.write(`tributary: while closing: ${error.message}\n`));
    }
  };
}

/** Wraps a command that needs no session: it only asks services. */
export function reporting<A extends unknown[]>(act: (...args: A) => Promise<void>): (...args: A) => Promise<void> {
  return async (...args) => {
    try {
      await act(...args);
    } catch (error) {
      process.stderr.write(`tributary: ${describe(error)}\n`);
      process.exitCode = 1;
    }
  };
}

function describe(error: unknown): string {
  if (!(error instanceof Error)) return String(error);
  const isExpected =
    error.constructor !== TypeError && error.constructor !== RangeError && error.constructor !== ReferenceError;
  return isExpected ? error.message : (error.stack ?? error.message);
}

export const print = (text: string): void => void output.write(`${text}\n`);

/** Asks a person before something changes; a pipe or --yes means yes. @throws CommandFailure when the answer is no. */
export async function confirm(question: string, yes: boolean | undefined): Promise<void> {
  if (yes || !process.stdin.isTTY) return;
  const lines = createInterface({ input: process.stdin, output: process.stdout });
  const answer = await lines.question(`${question} [y/N] `);
  lines.close();
  if (!/^y(es)?$/i.test(answer.trim())) throw new CommandFailure('nothing was changed');
}
