import type { Suspension } from '@tributary/contracts';
import { ControlTable } from '@tributary/control';
import { describe, expect, it } from 'vitest';
import { Suspender } from './suspender.js';
import { away, memoryWorld } from './testing/world.js';

function world() {
  const { codec, writer, audit, audits, surroundings } = memoryWorld();
  const table = new ControlTable<Suspension>();
  const suspender = new Suspender({ table, codec, writer, audit, surroundings, actor: 'connector-slack/1' });
  const rows = () => writer.to('control.suspensions.v1');
  const suspend = () => suspender.suspend('out', 'acme', 'token revoked');
  const comesBack = async () => {
    const { value } = await codec.decode<Suspension>(rows().at(-1)?.value as Buffer);
    table.put('out', value);
  };
  return { writer, audits, table, suspend, rows, comesBack };
}

describe('Suspender', () => {
  it('writes the row, a notice that says what to do, and an audit record', async () => {
    const { suspend, rows, writer, audits } = world();
    await suspend();
    expect(rows()).toMatchObject([{ key: 'out' }]);
    expect(writer.to('operations.events.v1')[0]?.value?.toString()).toContain('run: tributary resume out');
    expect(await audits()).toMatchObject([{ action: 'suspended', entity: 'connection:out', reason: 'token revoked' }]);
  });

  it('writes once for many records that fail together, and for those that fail before the row comes back', async () => {
    const { suspend, rows, comesBack } = world();
    await Promise.all([suspend(), suspend(), suspend()]);
    await suspend();
    await comesBack();
    await suspend();
    expect(rows()).toHaveLength(1);
  });

  it('suspends again after somebody resumed', async () => {
    const { suspend, rows, comesBack, table } = world();
    await suspend();
    await comesBack();
    table.put('out', undefined);
    await suspend();
    expect(rows()).toHaveLength(2);
  });

  it.each(['control.suspensions.v1', 'operations.events.v1', 'audit.records.v1'])(
    'says so when %s cannot be written, and does all of it the next time',
    async (topic) => {
      const { suspend, rows, writer, audits } = world();
      writer.trouble = (record) => {
        if (record.topic === topic) throw away();
      };
      await expect(suspend()).rejects.toMatchObject({ retryable: true });
      writer.trouble = () => undefined;
      await suspend();
      expect(rows()).toHaveLength(1);
      expect((await audits()).length).toBeGreaterThan(0);
    },
  );
});
