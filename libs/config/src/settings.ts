/** One setting of an app: where it comes from, what it means, how it is read. */
export interface Setting<T> {
  readonly variable: string;
  readonly help: string;
  /** Text used when the variable is absent; undefined makes the setting required, null makes it optional. */
  readonly fallback: string | null | undefined;
  readonly secret: boolean;
  parse(text: string): T;
}

type Settings = Readonly<Record<string, Setting<unknown>>>;
export type ValuesOf<S extends Settings> = { readonly [K in keyof S]: S[K] extends Setting<infer T> ? T : never };

interface Options {
  readonly fallback?: string | null;
  readonly secret?: boolean;
}

function setting<T>(variable: string, help: string, parse: (text: string) => T, options: Options = {}): Setting<T> {
  return { variable, help, parse, fallback: options.fallback, secret: options.secret ?? false };
}

export const text = (variable: string, help: string, options?: Options): Setting<string> =>
  setting(variable, help, (value) => value, options);

export const optionalText = (variable: string, help: string, options?: Options): Setting<string | undefined> =>
  setting<string | undefined>(variable, help, (value) => value, { fallback: null, ...options });

export const list = (variable: string, help: string, options?: Options): Setting<readonly string[]> =>
  setting(
    variable,
    help,
    (value) =>
      value
        .split(',')
        .map((part) => part.trim())
        .filter(Boolean),
    options,
  );

/** As `list`, and refuses one without a part. */
export const nonEmptyList = (variable: string, help: string, options?: Options): Setting<readonly string[]> => {
  const any = list(variable, help, options);
  return { ...any, parse: (value) => notEmpty(any.parse(value)) };
};

/** One of a few words; absent: undefined, unless there is a fallback. */
export const optionalChoice = <const C extends string>(
  variable: string,
  help: string,
  choices: readonly C[],
): Setting<C | undefined> => ({ ...choice(variable, help, choices, choices[0] as C), fallback: null });

export const choice = <const C extends string>(
  variable: string,
  help: string,
  choices: readonly C[],
  fallback: NoInfer<C>,
): Setting<C> => setting(variable, help, (value) => parseChoice(value, choices), { fallback });

export const integer = (
  variable: string,
  help: string,
  fallback: number,
  min = 0,
  max = Number.MAX_SAFE_INTEGER,
): Setting<number> => setting(variable, help, (value) => parseInteger(value, min, max), { fallback: String(fallback) });

export const fraction = (variable: string, help: string, fallback: number): Setting<number> =>
  setting(variable, help, parseFraction, { fallback: String(fallback) });

export const flag = (variable: string, help: string, fallback = false): Setting<boolean> =>
  setting(variable, help, parseFlag, { fallback: String(fallback) });

function parseInteger(value: string, min: number, max: number): number {
  const number = /^-?\d+$/.test(value) ? Number(value) : Number.NaN;
  if (number >= min && number <= max) return number;
  const upTo = max < Number.MAX_SAFE_INTEGER ? ` and at most ${max}` : '';
  throw new Error(`must be a whole number of at least ${min}${upTo}`);
}

function parseChoice<C extends string>(value: string, choices: readonly C[]): C {
  const found = choices.find((one) => one === value);
  if (found === undefined) throw new Error(`must be one of ${choices.join(', ')}`);
  return found;
}

function notEmpty(parts: readonly string[]): readonly string[] {
  if (parts.length === 0) throw new Error('must name at least one');
  return parts;
}

function parseFraction(value: string): number {
  const number = value.trim() === '' ? Number.NaN : Number(value);
  if (!(number >= 0 && number <= 1)) throw new Error('must be a number from 0 to 1');
  return number;
}

function parseFlag(value: string): boolean {
  if (value === 'true' || value === '1') return true;
  if (value === 'false' || value === '0') return false;
  throw new Error('must be true or false');
}

/** Names every bad or missing variable at once, so that a deployment is mended in one go. */
export class InvalidSettings extends Error {
  override readonly name = 'InvalidSettings';
  constructor(readonly problems: readonly string[]) {
    super(`settings are not usable:\n  ${problems.join('\n  ')}`);
  }
}

/**
 * Reads all settings once and freezes them.
 * @throws InvalidSettings with one line per problem.
 */
export function readSettings<S extends Settings>(
  settings: S,
  environment: Readonly<Record<string, string | undefined>> = process.env,
): ValuesOf<S> {
  const problems: string[] = [];
  const values = Object.entries(settings).map(([name, one]) => {
    const given = environment[one.variable];
    const source = given === undefined || given === '' ? one.fallback : given;
    if (source === null) return [name, undefined];
    if (source === undefined) {
      problems.push(`${one.variable} is missing: ${one.help}`);
      return [name, undefined];
    }
    try {
      return [name, one.parse(source)];
    } catch (error) {
      const shown = one.secret ? 'its value' : JSON.stringify(source);
      problems.push(`${one.variable}: ${shown} ${(error as Error).message} (${one.help})`);
      return [name, undefined];
    }
  });
  if (problems.length > 0) throw new InvalidSettings(problems);
  return Object.freeze(Object.fromEntries(values)) as ValuesOf<S>;
}

/** An address may carry a user and a password, whatever the setting was meant for. */
const withoutCredentials = (value: string): string => value.replace(/\/\/[^@/\s]+@/g, '//***@');

/** One line per setting for logs: secrets only as `set` or `missing`. */
export function describeSettings(
  settings: Settings,
  environment: Readonly<Record<string, string | undefined>> = process.env,
): Record<string, string> {
  return Object.fromEntries(
    Object.values(settings).map((one) => {
      const given = environment[one.variable];
      if (one.secret) return [one.variable, given ? 'set' : 'missing'];
      return [one.variable, withoutCredentials(given || (one.fallback ?? 'missing'))];
    }),
  );
}
