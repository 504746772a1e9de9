import { topicFamilies, topics } from '@tributary/contracts';
import { type Checkpoint, generateKey, parseSigningKey, parseVerifyingKey } from '@tributary/ledger';
import { verifyDatabase } from '@tributary/operations';
import { type Database, LedgerRows, LedgerTrees, RetiredRows } from '@tributary/persistence';
import { TreeKeeper } from '@tributary/pipeline';
import { type PartitionOffsets, type ProofPorts, prove } from '@tributary/proof';
import { partitions } from './load.js';

export interface Timed {
  readonly name: string;
  readonly rows: number;
  readonly seconds: number;
  readonly holds: boolean;
}

type Say = (line: string) => void;

async function timed(name: string, say: Say, work: () => Promise<{ rows: number; holds: boolean }>): Promise<Timed> {
  const startedMs = performance.now();
  const { rows, holds } = await work();
  const seconds = Number(((performance.now() - startedMs) / 1000).toFixed(1));
  say(`${name}: ${rows} rows in ${seconds} s, ${holds ? 'closes' : 'DOES NOT CLOSE'}`);
  return { name, rows, seconds, holds };
}

/** Of topics that have exactly what the stories tell, with groups that are done with all of it. */
async function proofPortsOf(database: Database): Promise<ProofPorts> {
  const [progress] = await database.query<{ events: string; rows: string }>(
    'SELECT events::text, rows::text FROM bench.progress',
  );
  const [events, rows] = [Number(progress?.events), Number(progress?.rows)];
  const spread = (count: number): PartitionOffsets[] =>
    Array.from({ length: partitions }, (_, partition) => {
      const high = Math.ceil((count - partition) / partitions);
      return { partition, low: 0, high, committed: high };
    });
  const halves = (first: number): PartitionOffsets[] =>
    [Math.ceil(events / 2), Math.floor(events / 2)].map((high, i) => ({
      ...{ partition: first + 3 * i, low: 0 },
      ...{ high, committed: high },
    }));
  const offsets = new Map<string, PartitionOffsets[]>([
    [topicFamilies.raw('gusto').name, spread(events)],
    [topicFamilies.events('people').name, spread(events)],
    [topics.audit.name, spread(rows)],
    ...destinations.map((slug, i) => [topicFamilies.delivery(slug).name, halves(i)] as const),
  ]);
  return {
    query: (text, values, name) => database.query(text, values, name),
    offsetsOf: async (topic) => offsets.get(topic) ?? [],
    waitForLedger: async () => true,
    parked: async () => [],
    read: async function* () {},
    surroundings: async () => ({ suspensions: new Map(), members: new Map(), gates: [] }),
    nowMs: Date.now,
  };
}

const destinations = ['slack', 'http', 'hubspot'];

/** Of everything, and then of what is new: first nothing, then as much as comes in some minutes. */
export async function proofs(database: Database, say: Say, more: () => Promise<void>): Promise<Timed[]> {
  const proof = async (memory: 'use' | 'replace') => {
    const scope = { sources: ['gusto'], destinations, from: null, to: null, memory };
    const { ledger, closes, findings } = await prove(await proofPortsOf(database), scope);
    for (const { where, what } of findings.slice(0, 5)) say(`✗ ${where}: ${what}`);
    return { rows: ledger.rows, holds: closes };
  };
  const full = await timed('prove --full', say, () => proof('replace'));
  const nothing = await timed('prove, nothing new', say, () => proof('use'));
  await more();
  return [full, nothing, await timed('prove, 20,000 rows new', say, () => proof('use'))];
}

/** The trees, once, and then the rows against what was signed. */
export async function verifications(database: Database, say: Say): Promise<Timed[]> {
  const name = 'bench/ledger';
  const { signingKey, verifyingKey } = generateKey(name);
  const published: Checkpoint[] = [];
  const fail = (fields: unknown): never => {
    throw new Error(JSON.stringify(fields));
  };
  const all = Array.from({ length: partitions }, (_, partition) => partition);
  const keeper = new TreeKeeper(name, {
    trees: new LedgerTrees(database),
    lowOffset: async () => 0,
    partitions: () => all,
    lastNote: () => undefined,
    keys: () => ({ signing: parseSigningKey(signingKey), former: [] }),
    publish: async (checkpoint) => void published.push(checkpoint),
    nowMs: Date.now,
    logger: { debug: () => undefined, info: () => undefined, warn: fail, error: fail },
  });
  const trees = await timed('trees', say, async () => {
    await keeper.keep();
    return { rows: published.reduce((sum, { size }) => sum + size, 0), holds: true };
  });
  const verified = await timed('audit verify --database', say, async () => {
    const {
      holds,
      trees: verifiedTrees,
      findings,
    } = await verifyDatabase({
      rows: new LedgerRows(database),
      trees: new LedgerTrees(database),
      retired: new RetiredRows(database),
      notes: published.map(({ note }) => note),
      keys: [parseVerifyingKey(verifyingKey)],
    });
    for (const { what } of findings.slice(0, 5)) say(`✗ ${what}`);
    return { rows: verifiedTrees.reduce((sum, { rows }) => sum + rows, 0), holds };
  });
  return [trees, verified];
}
