import { avroTypeFor } from './avro.js';

/** Two versions of a record, one of which cannot read what the other wrote. Versions count from 1. */
export interface Incompatibility {
  readonly reader: number;
  readonly writer: number;
  readonly reason: string;
}

/** FULL_TRANSITIVE: every version must read what every other version writes. Empty when it holds. */
export function findIncompatibilities(versions: readonly object[]): Incompatibility[] {
  const types = versions.map((schema) => avroTypeFor(schema));
  return types.flatMap((reader, readerIndex) =>
    types.flatMap((writer, writerIndex) => {
      if (readerIndex === writerIndex) return [];
      const reason = whyUnreadable(() => reader.createResolver(writer));
      return reason === undefined ? [] : [{ reader: readerIndex + 1, writer: writerIndex + 1, reason }];
    }),
  );
}

/** Fields without a default: they could never be added or removed again. Paths such as `deliveries.deliveryId`. */
export function fieldsWithoutDefault(schema: object, path = ''): string[] {
  const { type, fields, items, values } = schema as SchemaNode;
  if (Array.isArray(schema)) return schema.flatMap((branch: object) => fieldsWithoutDefault(branch, path));
  const inner = [type, items, values].flatMap((node) =>
    typeof node === 'object' && node !== null ? fieldsWithoutDefault(node, path) : [],
  );
  const own = (fields ?? []).flatMap((field) => {
    const at = path ? `${path}.${field.name}` : field.name;
    const nested = typeof field.type === 'object' ? fieldsWithoutDefault(field.type, at) : [];
    return 'default' in field ? nested : [at, ...nested];
  });
  return [...inner, ...own];
}

interface SchemaNode {
  readonly type?: unknown;
  readonly items?: unknown;
  readonly values?: unknown;
  readonly fields?: ReadonlyArray<{
    readonly name: string;
    readonly type: object | string;
    readonly default?: unknown;
  }>;
}

function whyUnreadable(createResolver: () => unknown): string | undefined {
  try {
    createResolver();
    return undefined;
  } catch (error) {
    return error instanceof Error ? error.message : String(error);
  }
}
