import type { CanonicalEvent } from '@tributary/domain';
import { type CompiledExpression, compileExpression, MappingProblem } from './expression.js';

/** A JSONata expression over the event for each field of the message that differs from the operation's own. */
export type Mapping = Readonly<Record<string, string>>;

export type MappingResult =
  | { readonly ok: true; readonly fields: Readonly<Record<string, unknown>> }
  | { readonly ok: false; readonly problems: readonly string[] };

const mostFields = 100;
const mostCompiled = 2000;
// Compiling costs far more than evaluating. The oldest entry goes first, so the cache stays bounded.
const compiled = new Map<string, CompiledExpression>();

function compiledExpression(source: string): CompiledExpression {
  const known = compiled.get(source);
  if (known) return known;
  const expression = compileExpression(source);
  if (compiled.size >= mostCompiled) compiled.delete(compiled.keys().next().value as string);
  compiled.set(source, expression);
  return expression;
}

/** Problems of a mapping that can be told before any event comes; empty when there is none. */
export function checkMapping(mapping: Mapping): readonly string[] {
  const fields = Object.entries(mapping);
  if (fields.length > mostFields) return [`mapping has more than ${mostFields} fields`];
  return fields.flatMap(([field, source]) => {
    if (typeof source !== 'string') return [`mapping.${field} must be a JSONata expression as text`];
    try {
      compiledExpression(source);
      return [];
    } catch (error) {
      return [problemOf(field, error)];
    }
  });
}

/** Evaluates every field over the event. A field without a value is left to the operation's own translation. */
export async function applyMapping(mapping: Mapping, event: CanonicalEvent): Promise<MappingResult> {
  const problems = [...checkMapping(mapping)];
  if (problems.length > 0) return { ok: false, problems };
  const fields: Record<string, unknown> = {};
  for (const [field, source] of Object.entries(mapping)) {
    try {
      const value = await compiledExpression(source).evaluate(event);
      if (value !== undefined) Object.defineProperty(fields, field, { value, enumerable: true });
    } catch (error) {
      problems.push(problemOf(field, error));
    }
  }
  return problems.length > 0 ? { ok: false, problems } : { ok: true, fields };
}

function problemOf(field: string, error: unknown): string {
  if (!(error instanceof MappingProblem)) throw error;
  return `mapping.${field} ${error.message}`;
}
