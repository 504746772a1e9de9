import { Environment } from '@marcbachmann/cel-js';
import type { CanonicalEvent } from './event.js';

export type FilterVerdict =
  | { readonly kind: 'match' }
  | { readonly kind: 'no-match' }
  /** The expression met a value it cannot judge, for example a field that is not there. */
  | { readonly kind: 'error'; readonly reason: string };

/** A compiled filter. Never throws. */
export type Filter = (event: CanonicalEvent) => FilterVerdict;

export type FilterCompilation =
  | { readonly ok: true; readonly filter: Filter }
  | { readonly ok: false; readonly reason: string };

const longestExpression = 2000;

const environment = new Environment({ limits: { maxAstNodes: 500, maxDepth: 50 } })
  .registerVariable('event', 'map')
  .registerVariable('data', 'map');

/**
 * Compiles a CEL expression over `event` (attributes and, beside them, the fields of the data) and `data` (fields only).
 * The attributes win where a field has the name of one.
 */
export function compileFilter(expression: string): FilterCompilation {
  if (expression.length > longestExpression) {
    return { ok: false, reason: `has more than ${longestExpression} characters` };
  }
  try {
    const parsed = environment.parse(expression);
    const check = parsed.check();
    if (!check.valid) return { ok: false, reason: firstLine(check.error?.message ?? 'does not type-check') };
    if (check.type !== 'bool' && check.type !== 'dyn') {
      return { ok: false, reason: `must be true or false, and is of type ${check.type}` };
    }
    return { ok: true, filter: (event) => judge(() => parsed(bindings(event))) };
  } catch (error) {
    return { ok: false, reason: firstLine((error as Error).message) };
  }
}

function judge(evaluate: () => unknown): FilterVerdict {
  try {
    const result = evaluate();
    if (typeof result !== 'boolean') return { kind: 'error', reason: `gave ${typeof result}, not true or false` };
    return { kind: result ? 'match' : 'no-match' };
  } catch (error) {
    return { kind: 'error', reason: firstLine((error as Error).message) };
  }
}

function bindings({ data, ...attributes }: CanonicalEvent) {
  return { event: { ...data, ...attributes }, data };
}

const firstLine = (message: string): string => message.split('\n', 1)[0] ?? message;
