/** Outcome of reading one raw value. `problem` completes the sentence "<field> ...". */
export type FieldReading<T> =
  | { readonly ok: true; readonly value: T }
  | { readonly ok: false; readonly problem: string };

/** One setting: form, validator, docs row and type at once. */
export interface Field<T = unknown, Presence extends 'required' | 'optional' = 'required' | 'optional'> {
  readonly kind: 'text' | 'choice' | 'flag' | 'integer' | 'url';
  readonly help: string;
  readonly presence: Presence;
  readonly example?: string;
  /** Used when the value is absent; a field with a default is always there. */
  readonly fallback?: T;
  readonly choices?: readonly string[];
  /** Accepts the value itself or its text form: settings travel as text through files and environment. */
  read(raw: unknown): FieldReading<T>;
}

export type SettingsShape = Readonly<Record<string, Field>>;

type OptionalKeys<S extends SettingsShape> = {
  [K in keyof S]: S[K] extends Field<infer _T, 'optional'> ? K : never;
}[keyof S];

type ValueOf<F> = F extends Field<infer T> ? T : never;

/** The type of parsed settings, made from their description. */
export type SettingsOf<S extends SettingsShape> = {
  readonly [K in Exclude<keyof S, OptionalKeys<S>>]: ValueOf<S[K]>;
} & { readonly [K in OptionalKeys<S>]?: ValueOf<S[K]> };

interface TextOptions {
  readonly example?: string;
  readonly pattern?: RegExp;
  readonly maxLength?: number;
}

const accepted = <T>(value: T): FieldReading<T> => ({ ok: true, value });
const refused = (problem: string): FieldReading<never> => ({ ok: false, problem });

// Settings end up in URLs, headers and logs.
// biome-ignore lint/suspicious/noControlCharactersInRegex: control characters are what is looked for
const controlCharacters = /[\u0000-\u001f\u007f]/;

function readText(raw: unknown, { pattern, maxLength = 2000 }: TextOptions): FieldReading<string> {
  const value = typeof raw === 'number' ? String(raw) : raw;
  if (typeof value !== 'string') return refused('must be text');
  if (value.trim() === '') return refused('must not be empty');
  if (value.length > maxLength) return refused(`must have at most ${maxLength} characters`);
  if (controlCharacters.test(value)) return refused('must not contain control characters');
  if (pattern && !pattern.test(value)) return refused(`must match ${pattern.source}`);
  return accepted(value);
}

export function text(help: string, options: TextOptions & { readonly optional: true }): Field<string, 'optional'>;
export function text(help: string, options?: TextOptions & { readonly fallback?: string }): Field<string, 'required'>;
export function text(
  help: string,
  options: TextOptions & { readonly optional?: boolean; readonly fallback?: string } = {},
): Field<string> {
  return {
    kind: 'text',
    help,
    presence: options.optional ? 'optional' : 'required',
    ...(options.example !== undefined && { example: options.example }),
    ...(options.fallback !== undefined && { fallback: options.fallback }),
    read: (raw) => readText(raw, options),
  };
}

export function choice<const C extends readonly string[]>(
  help: string,
  choices: C,
  fallback?: C[number],
): Field<C[number], 'required'> {
  return {
    kind: 'choice',
    help,
    presence: 'required',
    choices,
    ...(fallback !== undefined && { fallback }),
    read: (raw) =>
      typeof raw === 'string' && choices.includes(raw)
        ? accepted(raw)
        : refused(`must be one of ${choices.join(', ')}`),
  };
}

export function flag(help: string, fallback = false): Field<boolean, 'required'> {
  return {
    kind: 'flag',
    help,
    presence: 'required',
    fallback,
    read: (raw) => {
      if (raw === true || raw === 'true') return accepted(true);
      if (raw === false || raw === 'false') return accepted(false);
      return refused('must be true or false');
    },
  };
}

export function integer(
  help: string,
  range: { readonly min: number; readonly max: number; readonly fallback?: number },
): Field<number, 'required'> {
  return {
    kind: 'integer',
    help,
    presence: 'required',
    ...(range.fallback !== undefined && { fallback: range.fallback }),
    read: (raw) => {
      const value = typeof raw === 'string' && /^-?\d+$/.test(raw) ? Number(raw) : raw;
      if (typeof value !== 'number' || !Number.isSafeInteger(value)) return refused('must be a whole number');
      if (value < range.min || value > range.max) return refused(`must be from ${range.min} to ${range.max}`);
      return accepted(value);
    },
  };
}

/** An http or https address. Whether it may be called is decided when the connection is made. */
export function url(
  help: string,
  options: { readonly example?: string; readonly fallback?: string } = {},
): Field<string, 'required'> {
  return { ...text(help, options), kind: 'url', read: readUrl };
}

function readUrl(raw: unknown): FieldReading<string> {
  const reading = readText(raw, {});
  if (!reading.ok) return reading;
  if (!URL.canParse(reading.value)) return refused('must be an absolute URL');
  const { protocol, username, password } = new URL(reading.value);
  if (protocol !== 'https:' && protocol !== 'http:') return refused('must be an https URL');
  if (username || password) return refused('must not carry a user name or password: use a secret');
  return reading;
}

/** A secret. Kept apart from settings; each name has a list of values, newest first: rotation means two. */
export interface SecretField {
  readonly help: string;
  readonly optional: boolean;
  /** Says what is wrong with a value without repeating it. */
  check(value: string): string | undefined;
}
export type SecretsShape = Readonly<Record<string, SecretField>>;

/** Active values by name. */
export type Secrets = Readonly<Record<string, readonly string[]>>;

export function secret(
  help: string,
  options: { readonly optional?: boolean; readonly check?: (value: string) => string | undefined } = {},
): SecretField {
  return {
    help,
    optional: options.optional ?? false,
    check: (value) => (value.trim() === '' ? 'must not be empty' : options.check?.(value)),
  };
}

export type SettingsResult<S extends SettingsShape> =
  | { readonly ok: true; readonly value: SettingsOf<S> }
  | { readonly ok: false; readonly errors: readonly string[] };

/** Reads settings strictly: every problem is named, with its field; unknown fields are problems too. */
export function parseSettings<S extends SettingsShape>(
  definition: { readonly slug: string; readonly settings: S },
  raw: unknown,
): SettingsResult<S> {
  const given = raw ?? {};
  if (typeof given !== 'object' || Array.isArray(given)) {
    return { ok: false, errors: [`settings of ${definition.slug} must be a mapping of names to values`] };
  }
  const values = given as Record<string, unknown>;
  const errors = unknownNames(definition.settings, values).map(
    (name) => `settings.${name} is not known to ${definition.slug}`,
  );
  const parsed: Record<string, unknown> = {};
  for (const [name, field] of Object.entries(definition.settings)) {
    const value = Object.hasOwn(values, name) ? values[name] : undefined;
    if (value === undefined || value === null) {
      if (field.fallback !== undefined) parsed[name] = field.fallback;
      else if (field.presence === 'required') errors.push(`settings.${name} is missing: ${field.help}`);
      continue;
    }
    const reading = field.read(value);
    if (reading.ok) parsed[name] = reading.value;
    else errors.push(`settings.${name} ${reading.problem}`);
  }
  return errors.length > 0 ? { ok: false, errors } : { ok: true, value: Object.freeze(parsed) as SettingsOf<S> };
}

/** Problems with the secrets of a connection; empty when they are usable. Never repeats a value. */
export function checkSecrets(
  definition: { readonly slug: string; readonly secrets: SecretsShape },
  given: Secrets,
): readonly string[] {
  const errors = unknownNames(definition.secrets, given).map(
    (name) => `secrets.${name} is not known to ${definition.slug}`,
  );
  for (const [name, field] of Object.entries(definition.secrets)) {
    const values = Object.hasOwn(given, name) ? (given[name] ?? []) : [];
    if (values.length === 0 && !field.optional) errors.push(`secrets.${name} is missing: ${field.help}`);
    values.forEach((value, i) => {
      const problem = field.check(value);
      if (problem) errors.push(`secrets.${name}[${i}] ${problem}`);
    });
  }
  return errors;
}

const unknownNames = (known: object, given: object): string[] =>
  Object.keys(given).filter((name) => !Object.hasOwn(known, name));
