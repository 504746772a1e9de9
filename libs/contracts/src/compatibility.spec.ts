import { describe, expect, it } from 'vitest';
import { fieldsWithoutDefault, findIncompatibilities } from './compatibility.js';
import { avroType, type RecordName, schemas } from './index.js';

const record = (fields: object[]) => ({ type: 'record', name: 'Thing', namespace: 'test', fields });
const id = { name: 'id', type: 'string', default: '' };

describe('committed schemas', () => {
  it.each(Object.keys(schemas) as RecordName[])('%s: every version reads every other', (name) => {
    expect(findIncompatibilities(schemas[name])).toEqual([]);
  });

  it.each(Object.keys(schemas) as RecordName[])('%s: every field has a default', (name) => {
    expect(schemas[name].flatMap((schema) => fieldsWithoutDefault(schema))).toEqual([]);
  });

  it.each(Object.keys(schemas) as RecordName[])('%s: an empty record survives a round trip', (name) => {
    const type = avroType(name);
    const value = type.clone({}, { fieldHook: undefined as never }) ?? {};
    expect(type.fromBuffer(type.toBuffer(value))).toEqual(value);
  });
});

describe('compatibility check', () => {
  it('lets an optional field come and go', () => {
    const optional = { name: 'note', type: ['null', 'string'], default: null };
    expect(findIncompatibilities([record([id]), record([id, optional]), record([id])])).toEqual([]);
  });

  it.each([
    ['a field without a default is added', record([id]), record([id, { name: 'must', type: 'string' }])],
    ['a field changes its type', record([id]), record([{ name: 'id', type: 'long', default: 0 }])],
    ['a decimal changes its scale', record([decimal(2)]), record([decimal(4)])],
  ])('finds that %s', (_, before, after) => {
    expect(findIncompatibilities([before, after])).not.toEqual([]);
  });

  it('looks at every pair, not only at neighbours', () => {
    const second = record([id, { name: 'n', type: 'int', default: 0 }]);
    const third = record([id, { name: 'n', type: 'string', default: '' }]);
    const found = findIncompatibilities([second, record([id]), third]);
    expect(found).toEqual([
      expect.objectContaining({ reader: 1, writer: 3 }),
      expect.objectContaining({ reader: 3, writer: 1 }),
    ]);
  });

  it('names nested fields without a default', () => {
    const inner = { type: 'array', items: { type: 'record', name: 'Inner', fields: [{ name: 'x', type: 'int' }] } };
    expect(fieldsWithoutDefault(record([{ name: 'list', type: inner, default: [] }]))).toEqual(['list.x']);
  });
});

function decimal(scale: number) {
  return { name: 'amount', type: { type: 'bytes', logicalType: 'decimal', precision: 10, scale }, default: '' };
}
