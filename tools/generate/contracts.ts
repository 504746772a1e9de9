import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';

type AvroSchema = string | AvroSchema[] | AvroObject;
interface AvroObject {
  readonly type: string | AvroObject;
  readonly name?: string;
  readonly namespace?: string;
  readonly doc?: string;
  readonly logicalType?: string;
  readonly items?: AvroSchema;
  readonly values?: AvroSchema;
  readonly symbols?: readonly string[];
  readonly fields?: readonly AvroField[];
}
interface AvroField {
  readonly name: string;
  readonly type: AvroSchema;
  readonly doc?: string;
}

export interface CommittedSchema {
  readonly fullName: string;
  readonly versions: readonly AvroObject[];
}

/** Reads `schemas/<full name>/v<N>.avsc`, versions in order. */
export function readSchemas(folder: string): CommittedSchema[] {
  return readdirSync(folder)
    .sort()
    .map((fullName) => ({ fullName, versions: readVersions(join(folder, fullName), fullName) }));
}

function readVersions(folder: string, fullName: string): AvroObject[] {
  const numbers = readdirSync(folder)
    .map((file) => Number(/^v(\d+)\.avsc$/.exec(file)?.[1] ?? Number.NaN))
    .sort((a, b) => a - b);
  numbers.forEach((number, index) => {
    if (number !== index + 1) throw new Error(`${folder}: versions must be v1.avsc, v2.avsc, ... without gaps`);
  });
  return numbers.map((number) => {
    const schema = JSON.parse(readFileSync(join(folder, `v${number}.avsc`), 'utf8')) as AvroObject;
    if (`${schema.namespace}.${schema.name}` !== fullName) {
      throw new Error(`${folder}/v${number}.avsc names itself ${schema.namespace}.${schema.name}`);
    }
    return schema;
  });
}

/** TypeScript source of all record types and schemas. */
export function renderRecords(schemas: readonly CommittedSchema[]): string {
  const interfaces = new Map<string, string>();
  for (const { versions } of schemas) collectInterfaces(versions[versions.length - 1], interfaces);
  const constants = schemas.map(
    ({ fullName, versions }) =>
      `  ${JSON.stringify(fullName)}: ${JSON.stringify(versions, null, 2).replaceAll('\n', '\n  ')},`,
  );
  const types = schemas.map(({ fullName }) => `  ${JSON.stringify(fullName)}: ${shortName(fullName)};`);
  return [
    '// Generated from libs/contracts/schemas by `npm run generate`. Do not edit.',
    '',
    ...interfaces.values(),
    '/** TypeScript type by full record name. */',
    'export interface RecordTypes {',
    ...types,
    '}',
    'export type RecordName = keyof RecordTypes;',
    '',
    '/** Every committed version of every schema, oldest first. */',
    'export const schemas: Readonly<Record<RecordName, readonly object[]>> = {',
    ...constants,
    '};',
    '',
  ].join('\n');
}

const shortName = (fullName: string): string => fullName.slice(fullName.lastIndexOf('.') + 1);

function collectInterfaces(schema: AvroSchema | undefined, into: Map<string, string>): void {
  if (schema === undefined || typeof schema === 'string') return;
  if (Array.isArray(schema)) {
    for (const branch of schema) collectInterfaces(branch, into);
    return;
  }
  if (typeof schema.type === 'object') {
    collectInterfaces(schema.type, into);
    return;
  }
  if (schema.items) collectInterfaces(schema.items, into);
  if (schema.values) collectInterfaces(schema.values, into);
  if (schema.type !== 'record' || !schema.name) return;
  for (const field of schema.fields ?? []) collectInterfaces(field.type, into);
  into.set(schema.name, renderInterface(schema));
}

function renderInterface(schema: AvroObject): string {
  const fields = (schema.fields ?? []).flatMap((field) => [
    ...(field.doc ? [`  /** ${field.doc} */`] : []),
    `  ${field.name}: ${typeOf(field.type)};`,
  ]);
  return [`/** ${schema.doc ?? schema.name} */`, `export interface ${schema.name} {`, ...fields, '}', ''].join('\n');
}

function typeOf(schema: AvroSchema): string {
  if (Array.isArray(schema))
    return schema
      .map(typeOf)
      .sort((a, b) => Number(a === 'null') - Number(b === 'null'))
      .join(' | ');
  if (typeof schema === 'string') return primitive(schema);
  if (typeof schema.type === 'object') return typeOf(schema.type);
  if (schema.logicalType === 'decimal') return 'string';
  if (schema.type === 'array') return `${parenthesize(typeOf(schema.items ?? 'null'))}[]`;
  if (schema.type === 'map') return `Record<string, ${typeOf(schema.values ?? 'null')}>`;
  if (schema.type === 'record') return schema.name ?? 'never';
  if (schema.type === 'enum') return (schema.symbols ?? []).map((symbol) => `'${symbol}'`).join(' | ');
  return primitive(schema.type);
}

const parenthesize = (type: string): string => (type.includes('|') ? `(${type})` : type);

function primitive(name: string): string {
  switch (name) {
    case 'null':
    case 'boolean':
    case 'string':
      return name;
    case 'int':
    case 'long':
    case 'float':
    case 'double':
      return 'number';
    case 'bytes':
      return 'Buffer';
    default:
      return shortName(name);
  }
}
