import type { RateBudget } from '@tributary/domain';
import type { DestinationDefinition, LimitScope } from './destination.js';
import type { Mapping } from './mapping/mapping.js';
import type { SettingsShape } from './settings.js';

export interface ScopeQuestion {
  readonly operation: string;
  readonly settings: Readonly<Record<string, unknown>>;
  readonly mapping: Mapping | undefined;
  /** Of the record. */
  readonly key: string;
}

/**
 * The part of the account that a delivery's limit is for, for example `channel:C1`; undefined: the whole account, also when only the
 * event would tell which part. What waits in a retry topic is known by its key and headers alone, so nothing else may decide.
 */
export function limitedPart<S extends SettingsShape>(
  destination: DestinationDefinition<S>,
  question: ScopeQuestion,
): string | undefined {
  const scope = limitsOf(destination, question.operation).scope ?? 'connection';
  if (scope === 'connection') return undefined;
  if (scope === 'operation') return `operation:${question.operation}`;
  if (scope === 'key') return `key:${question.key}`;
  return resourcePart(scope, question);
}

/** The rate of an operation by definition. */
export const rateOf = <S extends SettingsShape>(
  destination: DestinationDefinition<S>,
  operation: string,
): RateBudget | undefined => limitsOf(destination, operation).rate;

function limitsOf<S extends SettingsShape>({ limits, operations }: DestinationDefinition<S>, operation: string) {
  const own = Object.hasOwn(operations, operation) ? operations[operation]?.limits : undefined;
  return { ...limits, ...own };
}

function resourcePart(
  { resource, namedBy }: Exclude<LimitScope, string>,
  { settings, mapping }: ScopeQuestion,
): string | undefined {
  const expression = mapping && Object.hasOwn(mapping, namedBy) ? mapping[namedBy] : undefined;
  const name = expression === undefined ? settings[namedBy] : literalIn(expression);
  return typeof name === 'string' && name !== '' ? `${resource}:${name}` : undefined;
}

/** The text that an expression always gives: it is nothing but a text in quotes. Undefined: the event decides. */
function literalIn(expression: string): string | undefined {
  const [, double, single] = /^\s*(?:"([^"\\]*)"|'([^'\\]*)')\s*$/.exec(expression) ?? [];
  return double ?? single;
}
