import { existsSync, readFileSync } from 'node:fs';

interface AvroField {
  readonly name: string;
  readonly type: unknown;
}

/** What in `data` does not fit the Avro record; empty when all fits. */
export function recordProblems(record: string, data: Readonly<Record<string, unknown>>): readonly string[] {
  const file = new URL(`../../../contracts/schemas/${record}/v1.avsc`, import.meta.url);
  if (!existsSync(file)) return [`there is no schema of ${record}`];
  const { fields } = JSON.parse(readFileSync(file, 'utf8')) as { fields: readonly AvroField[] };
  const names = new Set(fields.map(({ name }) => name));
  const unknownNames = Object.keys(data).filter((name) => !names.has(name));
  return [
    ...unknownNames.map((name) => `${record} has no field ${name}`),
    ...fields
      .filter(({ name, type }) => !fits(type, data[name]))
      .map(({ name }) => `${record}.${name} is ${show(data[name])}`),
  ];
}

const show = (value: unknown) => (value === undefined ? 'missing' : JSON.stringify(value));

function fits(type: unknown, value: unknown): boolean {
  if (Array.isArray(type)) return type.some((branch) => fits(branch, value));
  if (typeof type === 'object' && type !== null) {
    const { type: inner, logicalType } = type as { type: unknown; logicalType?: string };
    if (logicalType === 'decimal') return typeof value === 'string' && /^-?\d+(\.\d{1,4})?$/.test(value);
    return fits(inner, value);
  }
  if (type === 'null') return value === null;
  if (type === 'int' || type === 'long') return Number.isSafeInteger(value);
  return typeof value === type;
}
