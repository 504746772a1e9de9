import { rejectedRecord, sha256Hex } from '@tributary/domain';
import type { LedgerEntry } from '@tributary/persistence';
import { describe, expect, it } from 'vitest';
import { LedgerStage } from './ledger-stage.js';
import { away, incoming, MemoryCodec, Refused } from './testing/world.js';

function world(write: (entries: readonly LedgerEntry[]) => Promise<void>) {
  const codec = new MemoryCodec();
  const batches: number[][] = [];
  const standIns: LedgerEntry[] = [];
  let rows = 0;
  const stage = new LedgerStage<readonly LedgerEntry[]>({
    codec,
    prepare: async (entries) => entries,
    write: (entries) => {
      batches.push(entries.map(({ offset }) => Number(offset)));
      standIns.push(...entries.filter(({ record }) => record.action === 'unreadable'));
      return write(entries);
    },
    onWritten: (count) => {
      rows += count;
    },
  });
  const fact = rejectedRecord({
    actor: 'ingress/1',
    occurredAtMs: 1,
    connectionId: 'in',
    status: 401,
    code: 'x',
    reason: 'x',
    payloadDigest: 'd',
    count: 1,
  });
  const handle = async (offset: number) =>
    stage.handle(
      incoming({
        topic: 'audit.records.v1',
        offset: BigInt(offset),
        value: await codec.encode('audit.records.v1', 'tributary.audit.AuditRecord', fact),
      }),
    );
  const handleAll = (count: number) => Promise.allSettled(Array.from({ length: count }, (_, i) => handle(i)));
  return { codec, stage, batches, standIns, handle, handleAll, written: () => rows };
}

const kinds = (results: ReadonlyArray<PromiseSettledResult<{ to: string }>>) =>
  results.map((result) => (result.status === 'fulfilled' ? result.value.to : 'thrown'));

describe('LedgerStage', () => {
  it('gathers what is there at the same time, and settles it only after it was written', async () => {
    const gate = Promise.withResolvers<void>();
    const { handleAll, batches, written } = world(() => gate.promise);
    let settled = false;
    const all = handleAll(100).finally(() => {
      settled = true;
    });
    while (batches.length === 0) await new Promise((resolve) => setImmediate(resolve));
    expect(settled).toBe(false);
    gate.resolve();
    expect(new Set(kinds(await all))).toEqual(new Set(['commit']));
    expect(batches).toHaveLength(1);
    expect(written()).toBe(100);
  });

  it('puts every record of a batch back when the database is away, and takes them when it is not', async () => {
    let isAway = true;
    const { handleAll, written } = world(async () => {
      if (isAway) throw away();
    });
    expect(new Set(kinds(await handleAll(5)))).toEqual(new Set(['thrown']));
    expect(written()).toBe(0);
    isAway = false;
    expect(new Set(kinds(await handleAll(5)))).toEqual(new Set(['commit']));
    expect(written()).toBe(5);
  });

  it.each([[[0]], [[4]], [[8]], [[2, 3]], [[0, 1, 2, 3, 4, 5, 6, 7, 8]]])(
    'dead-letters entries %j that the ledger refuses, writes the others of their batch, and leaves no gap',
    async (poison) => {
      const { handleAll, written, standIns } = world(async (entries) => {
        const isPoison = ({ offset, record }: LedgerEntry) =>
          poison.includes(Number(offset)) && record.action !== 'unreadable';
        if (entries.some(isPoison)) throw new Refused('ROW_REFUSED');
      });
      const results = kinds(await handleAll(9));
      expect(results.flatMap((kind, i) => (kind === 'deadLetter' ? [i] : []))).toEqual(poison);
      expect(results).not.toContain('thrown');
      expect(written()).toBe(9);
      expect(standIns.map(({ offset, record }) => [Number(offset), record.originOffset, record.errorCode])).toEqual(
        poison.map((offset) => [offset, offset, 'ROW_REFUSED']),
      );
    },
  );

  it('goes on after a batch was refused', async () => {
    const { handle } = world(async (entries) => {
      if (entries[0]?.offset === 0n && entries[0].record.action !== 'unreadable') throw new Refused('ROW_REFUSED');
    });
    expect(await handle(0)).toMatchObject({ to: 'deadLetter', failure: { code: 'ROW_REFUSED', stage: 'write' } });
    expect(await handle(1)).toEqual({ to: 'commit' });
  });

  it('dead-letters what is no audit record, alone, after its row says so', async () => {
    const { stage, codec, standIns } = world(async () => undefined);
    expect(await stage.handle(incoming())).toMatchObject({ to: 'deadLetter', failure: { code: 'value-missing' } });
    const garbage = incoming({ value: Buffer.from('garbage') });
    expect(await stage.handle(garbage)).toMatchObject({ to: 'deadLetter', failure: { code: 'INVALID_AVRO' } });
    expect(standIns.map(({ partition, offset, timestampMs }) => ({ partition, offset, timestampMs }))).toEqual(
      [incoming(), garbage].map(({ partition, offset, timestampMs }) => ({ partition, offset, timestampMs })),
    );
    expect(standIns[1]?.record).toMatchObject({
      errorCode: 'INVALID_AVRO',
      reason: null,
      payloadDigest: sha256Hex('garbage'),
    });
    codec.trouble = () => {
      throw away();
    };
    await expect(stage.handle(garbage)).rejects.toThrow('does not answer');
  });

  it('puts a record back whose stand-in cannot be written now', async () => {
    const { stage } = world(async () => {
      throw away();
    });
    await expect(stage.handle(incoming())).rejects.toThrow('does not answer');
  });

  it('never writes more than 2,000 rows at once', async () => {
    const { handleAll, batches } = world(async () => undefined);
    await handleAll(4_500);
    expect(Math.max(...batches.map(({ length }) => length))).toBeLessThanOrEqual(2_000);
    expect(batches.flat()).toHaveLength(4_500);
  });
});
