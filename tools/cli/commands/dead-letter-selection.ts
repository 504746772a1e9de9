import { errorClasses } from '@tributary/domain';
import {
  chainEndingIn,
  type DeadLetter,
  type DeadLetterFilter,
  type DeadLetterState,
  DeadLetters,
  deadLetterPorts,
  deadLetterStates,
  topicChains,
} from '@tributary/operations';
import type { Command } from 'commander';
import { CommandFailure } from '../run.js';
import type { Session } from '../session.js';

export interface FilterOptions {
  readonly topic?: string;
  readonly connection?: string;
  readonly class?: string;
  readonly fingerprint?: string;
  readonly key?: string;
  readonly from?: string;
  readonly to?: string;
  readonly state?: string;
  readonly json?: boolean;
}

export const withFilters = (command: Command): Command =>
  command
    .option('--topic <topic>', 'one dead-letter topic; absent: all')
    .option('--connection <id>', 'of this connection')
    .option('--class <class>', `of this error class: ${errorClasses.join(', ')}`)
    .option('--fingerprint <fingerprint>', 'of this cause, as `dlt groups` shows it')
    .option('--key <key>', 'of this record key')
    .option('--from <time>', 'dead at or after this time (ISO 8601)')
    .option('--to <time>', 'dead before this time (ISO 8601)');

export const hasFilter = (options: FilterOptions): boolean =>
  [options.topic, options.connection, options.class, options.fingerprint, options.key, options.from, options.to].some(
    (one) => one !== undefined,
  );

/** @throws CommandFailure that names what cannot be meant. */
export function filterOf(options: FilterOptions): DeadLetterFilter {
  const fromMs = timeOf('--from', options.from);
  const toMs = timeOf('--to', options.to);
  const state = stateOf(options.state);
  oneOf('--class', options.class, errorClasses);
  return {
    ...(options.connection !== undefined && { connection: options.connection }),
    ...(options.class !== undefined && { errorClass: options.class }),
    ...(options.fingerprint !== undefined && { fingerprint: options.fingerprint }),
    ...(options.key !== undefined && { key: options.key }),
    ...(fromMs !== undefined && { fromMs }),
    ...(toMs !== undefined && { toMs }),
    ...(state !== undefined && { state }),
  };
}

/** Dead-letter topics to look at: the one that is named, or all that exist and hold something. */
export async function topicsFor(session: Session, { topic }: FilterOptions): Promise<string[]> {
  const known = topicChains().map(({ deadLetter }) => deadLetter.name);
  if (topic !== undefined) {
    if (!chainEndingIn(topic)) {
      throw new CommandFailure(`${topic} is no dead-letter topic of this build; there are ${known.join(', ')}`);
    }
    return [topic];
  }
  const kept: string[] = [];
  for (const name of known) {
    const ranges = await session.admin.offsets(name);
    if (ranges?.some(({ low, high }) => high > low)) kept.push(name);
  }
  return kept;
}

/** A number within its limits. @throws CommandFailure */
export function numberOf(option: string, text: string, least: number, most: number): number {
  const value = Number(text);
  if (text.trim() === '' || !Number.isFinite(value) || value < least || value > most) {
    throw new CommandFailure(`${option} is ${text}; it must be a number from ${least} to ${most}`);
  }
  return value;
}

function timeOf(option: string, text: string | undefined): number | undefined {
  if (text === undefined) return undefined;
  const ms = Date.parse(text);
  if (Number.isNaN(ms)) throw new CommandFailure(`${option} is ${text}; write a time like 2026-01-31T12:00:00Z`);
  return ms;
}

function stateOf(text: string | undefined): DeadLetterState | undefined {
  if (text === undefined || text === 'all') return undefined;
  return oneOf('--state', text, deadLetterStates);
}

function oneOf<T extends string>(option: string, text: string | undefined, known: readonly T[]): T | undefined {
  if (text === undefined || known.includes(text as T)) return text as T | undefined;
  throw new CommandFailure(`${option} is ${text}; there are ${known.join(', ')}`);
}

export const openDeadLetters = (session: Session): DeadLetters =>
  new DeadLetters(deadLetterPorts(session.platform, session.admin, session.database));

/** Those that are named, or those that the filters choose. */
export async function chosen(
  session: Session,
  ids: readonly string[],
  options: FilterOptions,
): Promise<AsyncIterable<DeadLetter>> {
  const letters = openDeadLetters(session);
  if (ids.length > 0) return letters.named([...new Set(ids)]);
  return letters.find(await topicsFor(session, options), { state: 'open', ...filterOf(options) });
}
