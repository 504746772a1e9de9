import jsonata from 'jsonata';

/** Bounds of one field's expression. In process there is no way to stop it from outside, so it is stopped from inside. */
export const expressionLimits = {
  characters: 4096,
  depth: 150,
  steps: 20_000,
  timeoutMs: 1000,
  listItems: 1000,
  textLength: 100_000,
} as const;

/** An expression that cannot be used, or that failed on an event. The message names what to change. */
export class MappingProblem extends Error {
  constructor(message: string, cause?: unknown) {
    super(message, { cause });
    this.name = 'MappingProblem';
  }
}

export interface CompiledExpression {
  /** @throws MappingProblem when the expression fails on this input or breaks a limit. */
  evaluate(input: unknown): Promise<unknown>;
}

/**
 * Compiles a JSONata expression in the subset that is safe to run between other people's deliveries.
 * @throws MappingProblem when it is too long, not JSONata, or uses what is not allowed.
 */
export function compileExpression(source: string): CompiledExpression {
  if (source.length > expressionLimits.characters) {
    throw new MappingProblem(`is longer than ${expressionLimits.characters} characters`);
  }
  const expression = parse(source);
  refuseRegularExpressions(expression.ast());
  for (const [name, why] of Object.entries(forbiddenFunctions)) {
    expression.registerFunction(name, () => {
      throw new MappingProblem(`$${name} is not allowed: ${why}`);
    });
  }
  expression.registerFunction('pad', boundedPad, '<s-ns?:s>');
  expression.registerFunction('toMillis', isoToMillis, '<s-s?:n>');
  limitSteps(expression);
  return { evaluate: (input) => evaluate(expression, input) };
}

const forbiddenFunctions = {
  eval: 'an event must not bring code with it',
  now: 'a message must be the same on every attempt',
  millis: 'a message must be the same on every attempt',
  random: 'a message must be the same on every attempt',
  shuffle: 'a message must be the same on every attempt',
  error: 'a mapping gives values; use a filter to leave events out',
} as const;

function parse(source: string): jsonata.Expression {
  const { timeoutMs: timeout, depth: stack, listItems: sequence } = expressionLimits;
  try {
    return jsonata(source, { timeout, stack, sequence });
  } catch (error) {
    throw new MappingProblem(`is not JSONata: ${messageOf(error)}`, error);
  }
}

// A backtracking pattern on a hostile field holds the whole process, and nothing in it can be interrupted.
function refuseRegularExpressions(node: unknown): void {
  if (typeof node !== 'object' || node === null || node instanceof RegExp) return;
  if ((node as { type?: unknown }).type === 'regex') {
    throw new MappingProblem(
      'uses a regular expression, which is not allowed: use $contains, $split or $substringBefore',
    );
  }
  for (const child of Object.values(node)) refuseRegularExpressions(child);
}

function boundedPad(text: string, width: number, filler?: string): string {
  const size = Math.trunc(width);
  if (Math.abs(size) > expressionLimits.textLength) throw new MappingProblem('$pad is asked for too long a text');
  return size < 0 ? text.padStart(-size, filler || ' ') : text.padEnd(size, filler || ' ');
}

// The built-in one makes patterns from its second argument, which can take exponential time.
function isoToMillis(text: string, picture?: string): number {
  if (picture !== undefined) throw new MappingProblem('$toMillis takes no picture here: only ISO 8601 texts');
  const ms = Date.parse(text);
  if (Number.isNaN(ms)) throw new MappingProblem('$toMillis was given a text that is not an ISO 8601 time');
  return ms;
}

// Hooks of the evaluator. They are shared by concurrent evaluations, hence a count for each evaluation's root frame.
function limitSteps(expression: jsonata.Expression): void {
  const stepsOf = new WeakMap<object, number>();
  const assign = expression.assign as unknown as (name: symbol, value: unknown) => void;
  assign(Symbol.for('jsonata.__evaluate_entry'), (_node: unknown, _input: unknown, { base }: { base: object }) => {
    const steps = (stepsOf.get(base) ?? 0) + 1;
    if (steps > expressionLimits.steps) throw new MappingProblem(`takes more than ${expressionLimits.steps} steps`);
    stepsOf.set(base, steps);
  });
  assign(Symbol.for('jsonata.__evaluate_exit'), (_n: unknown, _i: unknown, _e: unknown, result: unknown) => {
    if (typeof result === 'string' && result.length > expressionLimits.textLength) {
      throw new MappingProblem(`makes a text of more than ${expressionLimits.textLength} characters`);
    }
  });
}

async function evaluate(expression: jsonata.Expression, input: unknown): Promise<unknown> {
  let result: unknown;
  try {
    result = await expression.evaluate(input);
  } catch (error) {
    throw error instanceof MappingProblem ? error : new MappingProblem(`failed: ${messageOf(error)}`, error);
  }
  return plain(result);
}

/** Functions and the evaluator's own list markers must not get into a message. */
function plain(result: unknown): unknown {
  if (result === undefined) return undefined;
  const json = JSON.stringify(result, (_key, value) => {
    if (typeof value === 'function' || value?._jsonata_lambda)
      throw new MappingProblem('gives a function, not a value');
    return value;
  });
  if (json.length > expressionLimits.textLength) {
    throw new MappingProblem(`gives a value of more than ${expressionLimits.textLength} characters`);
  }
  return JSON.parse(json);
}

// jsonata throws plain objects that look like errors.
function messageOf(error: unknown): string {
  const message = (error as { message?: unknown } | null)?.message;
  return (typeof message === 'string' ? message : String(error)).slice(0, 200);
}
