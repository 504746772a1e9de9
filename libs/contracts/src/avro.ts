import avsc, { type Schema, type Type } from 'avsc';
import { decimalFromBytes, decimalToBytes, InvalidDecimal } from './decimal.js';
import { type RecordName, schemas } from './generated/records.js';

interface DecimalSchema {
  readonly precision?: unknown;
  readonly scale?: unknown;
}

/** Money and other exact numbers: text such as "19.99" on our side, `decimal` bytes on the wire. */
class DecimalType extends avsc.types.LogicalType {
  private readonly precision: number;
  private readonly scale: number;

  constructor(schema: Schema, options?: unknown) {
    super(schema as never, options as never);
    const { precision, scale } = schema as DecimalSchema;
    if (!Number.isInteger(precision) || !Number.isInteger(scale ?? 0)) {
      throw new TypeError('a decimal needs a whole precision and scale');
    }
    this.precision = precision as number;
    this.scale = (scale ?? 0) as number;
  }

  protected override _fromValue(bytes: Buffer): string {
    return decimalFromBytes(bytes, this.scale);
  }

  // avsc's contract: undefined means "not valid", which it reports with the path of the field.
  protected override _toValue(text: unknown): Buffer | undefined {
    try {
      return decimalToBytes(text as string, this.precision, this.scale);
    } catch (error) {
      if (error instanceof InvalidDecimal) return undefined;
      throw error;
    }
  }

  protected override _resolve(writer: Type): ((value: unknown) => unknown) | undefined {
    const other = writer as unknown as DecimalType;
    return other instanceof DecimalType && other.scale === this.scale && other.precision <= this.precision
      ? (value) => value
      : undefined;
  }
}

/** Logical types of our schemas, for anything that builds avsc types from a schema. Timestamps stay epoch milliseconds. */
export const logicalTypes = { decimal: DecimalType } as const;

/** Builds an avsc type as we read and write all our records. */
export function avroTypeFor(schema: object): Type {
  return avsc.Type.forSchema(schema as Schema, { logicalTypes: logicalTypes as never, wrapUnions: 'auto' as never });
}

const types = new Map<RecordName, Type>();

/** The latest committed schema of a record. */
export function latestSchema(name: RecordName): object {
  const versions = schemas[name];
  return versions[versions.length - 1] as object;
}

/** The avsc type of the latest committed schema of a record. Cached. */
export function avroType(name: RecordName): Type {
  let type = types.get(name);
  if (!type) {
    type = avroTypeFor(latestSchema(name));
    types.set(name, type);
  }
  return type;
}

export const isRecordName = (name: string): name is RecordName => Object.hasOwn(schemas, name);
