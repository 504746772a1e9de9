/** The parts of JSON Schema (draft 7, which Helm reads) that the values of the chart are described with. */
export interface ValueSchema {
  readonly type?: string | readonly string[];
  readonly description: string;
  readonly default?: unknown;
  readonly enum?: readonly unknown[];
  readonly pattern?: string;
  readonly minimum?: number;
  readonly properties?: Readonly<Record<string, ValueSchema>>;
  readonly additionalProperties?: boolean | ValueSchema;
  readonly items?: ValueSchema;
  readonly minItems?: number;
  readonly uniqueItems?: boolean;
}

type Properties = Readonly<Record<string, ValueSchema>>;

/** A fixed set of keys: a misspelt one is refused. */
export const group = (description: string, properties: Properties): ValueSchema => ({
  type: 'object',
  description,
  properties,
  additionalProperties: false,
});

/** Any keys, each of one kind. */
export const mapOf = (description: string, each: ValueSchema | boolean): ValueSchema => ({
  type: 'object',
  description,
  default: {},
  additionalProperties: each,
});

export const word = (description: string, fallback: string, pattern?: string): ValueSchema => ({
  type: 'string',
  description,
  default: fallback,
  ...(pattern !== undefined && { pattern }),
});

export const whole = (description: string, fallback: number, minimum = 0): ValueSchema => ({
  type: 'integer',
  description,
  default: fallback,
  minimum,
});

export const onOff = (description: string, fallback: boolean): ValueSchema => ({
  type: 'boolean',
  description,
  default: fallback,
});

export const oneOf = (description: string, choices: readonly string[], fallback: string): ValueSchema => ({
  type: 'string',
  description,
  enum: choices,
  default: fallback,
});

export const listOf = (description: string, items: ValueSchema, fallback: readonly unknown[] = []): ValueSchema => ({
  type: 'array',
  description,
  default: fallback,
  items,
});

/** As Kubernetes defines it: its own validation is the judge. */
export const asKubernetes = (description: string, fallback: object = {}): ValueSchema => ({
  type: Array.isArray(fallback) ? 'array' : 'object',
  description,
  default: fallback,
});
