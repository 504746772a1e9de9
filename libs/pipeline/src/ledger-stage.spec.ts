import { rejectedRecord, sha256Hex } from '@tributary/domain';
import type { IncomingRecord } from '@tributary/kafka';
import type { LedgerEntry } from '@tributary/persistence';
import { describe, expect, it } from 'vitest';
import { LedgerStage } from './ledger-stage.js';
import { anotherTurn } from './testing/another-turn.js';
import { away, incoming, MemoryCodec, Refused } from './testing/world.js';

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

interface Moments {
  readonly beforePrepared?: (entries: readonly LedgerEntry[]) => Promise<void>;
}

function world(write: (entries: readonly LedgerEntry[]) => Promise<void>, { beforePrepared }: Moments = {}) {
  const codec = new MemoryCodec();
  const transactions: number[][] = [];
  const standIns: LedgerEntry[] = [];
  let rows = 0;
  const stage = new LedgerStage<readonly LedgerEntry[]>({
    codec,
    prepare: async (entries) => {
      await beforePrepared?.(entries);
      return entries;
    },
    write: async (prepared) => {
      const entries = prepared.flat();
      transactions.push(entries.map(({ offset }) => Number(offset)));
      await write(entries);
      standIns.push(...entries.filter(({ record }) => record.action === 'unreadable'));
    },
    onWritten: (count) => {
      rows += count;
    },
  });
  const records = async (from: number, count: number): Promise<IncomingRecord[]> => {
    const value = await codec.encode('audit.records.v1', 'tributary.audit.AuditRecord', fact);
    return Array.from({ length: count }, (_, i) =>
      incoming({ topic: 'audit.records.v1', offset: BigInt(from + i), value }),
    );
  };
  /** So many batches at once, of so many records each. */
  const handleAll = async (batches: number, each: number) => {
    const all = await Promise.all(Array.from({ length: batches }, (_, i) => records(i * each, each)));
    return Promise.allSettled(all.map((batch) => stage.handle(batch)));
  };
  return { codec, stage, transactions, standIns, records, handleAll, written: () => rows };
}

const isRefused = (poison: readonly number[]) => async (entries: readonly LedgerEntry[]) => {
  const isPoison = ({ offset, record }: LedgerEntry) =>
    poison.includes(Number(offset)) && record.action !== 'unreadable';
  if (entries.some(isPoison)) throw new Refused('ROW_REFUSED');
};

const kinds = (results: ReadonlyArray<PromiseSettledResult<unknown>>) => results.map(({ status }) => status);

describe('LedgerStage', () => {
  it('gathers what is there at the same time, and answers only after it was written', async () => {
    const gate = Promise.withResolvers<void>();
    const { handleAll, transactions, written } = world(() => gate.promise);
    let settled = false;
    const all = handleAll(4, 25).finally(() => {
      settled = true;
    });
    while (transactions.length === 0) await anotherTurn();
    expect(settled).toBe(false);
    gate.resolve();
    expect(new Set(kinds(await all))).toEqual(new Set(['fulfilled']));
    expect(transactions).toHaveLength(1);
    expect(written()).toBe(100);
  });

  it('writes in the second transaction what came while it wrote the first', async () => {
    const gate = Promise.withResolvers<void>();
    const { stage, records, transactions } = world(() => gate.promise);
    const first = stage.handle(await records(0, 2));
    while (transactions.length === 0) await anotherTurn();
    const others = [stage.handle(await records(2, 2)), stage.handle(await records(4, 2))];
    for (let turn = 0; turn < 10; turn++) await anotherTurn();
    expect(transactions).toEqual([[0, 1]]);
    gate.resolve();
    await Promise.all([first, ...others]);
    expect(transactions).toEqual([
      [0, 1],
      [2, 3, 4, 5],
    ]);
  });

  it('does not wait longer than a moment for a batch that is slow to prepare', async () => {
    const slow = Promise.withResolvers<void>();
    const { stage, records, written } = world(async () => undefined, {
      beforePrepared: ([entry]) => (entry?.offset === 0n ? slow.promise : Promise.resolve()),
    });
    const late = stage.handle(await records(0, 1));
    await stage.handle(await records(1, 1));
    expect(written()).toBe(1);
    slow.resolve();
    await late;
    expect(written()).toBe(2);
  });

  it('does not read more batches than it prepares at once, however many come', async () => {
    let open = 0;
    let most = 0;
    const { handleAll, written } = world(async () => undefined, {
      beforePrepared: async () => {
        open += 1;
        most = Math.max(most, open);
        await anotherTurn();
        open -= 1;
      },
    });
    await handleAll(12, 5);
    expect(written()).toBe(60);
    expect(most).toBe(2);
  });

  it('puts every batch back when the database is away, and takes them when it is not', async () => {
    let isAway = true;
    const { handleAll, written } = world(async () => {
      if (isAway) throw away();
    });
    expect(new Set(kinds(await handleAll(3, 2)))).toEqual(new Set(['rejected']));
    expect(written()).toBe(0);
    isAway = false;
    expect(new Set(kinds(await handleAll(3, 2)))).toEqual(new Set(['fulfilled']));
    expect(written()).toBe(6);
  });

  it.each([[[0]], [[4]], [[8]], [[2, 3]], [[0, 1, 2, 3, 4, 5, 6, 7, 8]]])(
    'says of entries %j that the ledger refuses them, writes the others of their batch, and leaves no gap',
    async (poison) => {
      const { stage, records, written, standIns } = world(isRefused(poison));
      const failures = await stage.handle(await records(0, 9));
      expect([...failures.keys()]).toEqual(poison);
      expect(new Set([...failures.values()].map(({ code }) => code))).toEqual(new Set(['ROW_REFUSED']));
      expect(written()).toBe(9);
      expect(standIns.map(({ offset, record }) => [Number(offset), record.originOffset, record.errorCode])).toEqual(
        poison.map((offset) => [offset, offset, 'ROW_REFUSED']),
      );
    },
  );

  it('does not let a refused entry take the batches beside it along', async () => {
    const { handleAll, written } = world(isRefused([4]));
    const results = await handleAll(3, 3);
    expect(results.map((one) => one.status === 'fulfilled' && [...one.value.keys()])).toEqual([[], [1], []]);
    expect(written()).toBe(9);
  });

  it('writes two transactions at once, of different partitions', async () => {
    const gate = Promise.withResolvers<void>();
    const { stage, records, transactions } = world(() => gate.promise);
    const of = async (partition: number) =>
      (await records(0, 2)).map((record) => ({ ...record, partition }) as IncomingRecord);
    const all = Promise.all([0, 1, 2].map(async (partition) => stage.handle(await of(partition))));
    while (transactions.length < 2) await anotherTurn();
    gate.resolve();
    await all;
    expect(transactions.map(({ length }) => length).sort()).toEqual([2, 4]);
  });

  it('goes on after a batch was refused', async () => {
    const { stage, records } = world(isRefused([0]));
    expect((await stage.handle(await records(0, 1))).get(0)).toMatchObject({ code: 'ROW_REFUSED', stage: 'write' });
    expect(await stage.handle(await records(1, 1))).toEqual(new Map());
  });

  it('says of what is no audit record what is wrong with it, after its row says so', async () => {
    const { stage, codec, records, standIns, written } = world(async () => undefined);
    const [good] = (await records(7, 1)) as [IncomingRecord];
    const [empty, garbage] = [incoming(), incoming({ value: Buffer.from('garbage') })];
    const failures = await stage.handle([empty, good, garbage]);
    expect([...failures].map(([i, { code }]) => [i, code])).toEqual([
      [0, 'value-missing'],
      [2, 'INVALID_AVRO'],
    ]);
    expect(written()).toBe(3);
    expect(standIns.map(({ partition, offset, timestampMs }) => ({ partition, offset, timestampMs }))).toEqual(
      [empty, garbage].map(({ partition, offset, timestampMs }) => ({ partition, offset, timestampMs })),
    );
    expect(standIns[1]?.record).toMatchObject({
      errorCode: 'INVALID_AVRO',
      reason: null,
      payloadDigest: sha256Hex('garbage'),
    });
    codec.trouble = () => {
      throw away();
    };
    await expect(stage.handle([good, garbage])).rejects.toThrow('does not answer');
  });

  it('ends with an error when the ledger refuses even the stand-in, which is a mistake of ours', async () => {
    const { stage } = world(async () => {
      throw new Refused('ROW_REFUSED');
    });
    await expect(stage.handle([incoming()])).rejects.toThrow('refuses even the row that says so of offset');
  });

  it('puts a record back whose stand-in cannot be written now', async () => {
    const { stage } = world(async () => {
      throw away();
    });
    await expect(stage.handle([incoming()])).rejects.toThrow('does not answer');
  });

  it('never writes more than 2,000 rows at once', async () => {
    const gate = Promise.withResolvers<void>();
    const { handleAll, transactions, codec } = world(() => gate.promise);
    const all = handleAll(9, 500);
    while (codec.decoded < 4_500) await anotherTurn();
    gate.resolve();
    await all;
    expect(Math.max(...transactions.map(({ length }) => length))).toBe(2_000);
    expect(transactions.flat()).toHaveLength(4_500);
  });
});
