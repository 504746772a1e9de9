import { deadLetterTopicOf, domains, topicFamilies } from '@tributary/contracts';
import { scanTopic } from '@tributary/kafka';
import {
  auditOf,
  type DeadLetter,
  type DeadLetterFilter,
  DeadLetters,
  LedgerReader,
  ledgerReaches,
  summaryOf,
} from '@tributary/operations';
import { registry } from '@tributary/registry';
import type { Command } from 'commander';
import { acting, CommandFailure, print } from '../run.js';
import type { Session } from '../session.js';
import { renderTable } from '../table.js';

interface FilterOptions {
  readonly topic?: string;
  readonly connection?: string;
  readonly class?: string;
  readonly fingerprint?: string;
  readonly key?: string;
  readonly since?: string;
  readonly state?: string;
  readonly json?: boolean;
}

interface ActOptions extends FilterOptions {
  readonly reason: string;
  readonly dryRun?: boolean;
  readonly rate: string;
}

const withFilters = (command: Command): Command =>
  command
    .option('--topic <topic>', 'one dead-letter topic; absent: all')
    .option('--connection <id>', 'of this connection')
    .option('--class <class>', 'of this error class')
    .option('--fingerprint <fingerprint>', 'of this cause')
    .option('--key <key>', 'of this record key')
    .option('--since <time>', 'from this time on (ISO 8601)');

export function addDeadLetterCommands(program: Command): void {
  const dlt = program.command('dlt').description('dead letters: what will not succeed by itself');
  withFilters(dlt.command('list').description('dead letters and how they stand'))
    .option('--state <state>', 'open, redriven or discarded', 'open')
    .option('--json', 'print as JSON')
    .action(acting(program, listCommand));
  dlt
    .command('show <id>')
    .description('one dead letter with its headers and value')
    .action(acting(program, showCommand));
  for (const act of ['redrive', 'discard'] as const) {
    withFilters(dlt.command(`${act} [ids...]`))
      .description(
        act === 'redrive'
          ? "send open dead letters through their group's own chain again"
          : 'give open dead letters up for good',
      )
      .requiredOption('--reason <text>', 'why, for the audit trail')
      .option('--dry-run', 'show which, and do nothing')
      .option('--rate <n>', 'most dead letters a second', '50')
      .action(acting(program, (session, ids: string[], options: ActOptions) => actCommand(session, act, ids, options)));
  }
}

function allTopics(): string[] {
  const raw = [...registry.sources.keys()].map((slug) => deadLetterTopicOf(topicFamilies.raw(slug)));
  const events = domains.map((domain) => deadLetterTopicOf(topicFamilies.events(domain), 'router'));
  const delivery = [...registry.destinations.keys()].map((slug) => deadLetterTopicOf(topicFamilies.delivery(slug)));
  return [...raw, ...events, ...delivery].map(({ name }) => name);
}

function open(session: Session): DeadLetters {
  const { platform } = session;
  const ledger = new LedgerReader(session.database);
  return new DeadLetters({
    scan: (topic, onRecord) => scanTopic({ client: platform.client, topic, onRecord }),
    statesOf: async (topic) => {
      // What somebody did a moment ago must count, or it could be done twice.
      const isComplete = await ledgerReaches(session.admin, ledger, 30_000);
      if (!isComplete)
        throw new CommandFailure(
          'the ledger is behind the audit topic, so it is not known what was redriven; is the audit-logger running?',
        );
      return ledger.deadLetterStates(topic);
    },
    send: (record) => platform.producer.send(record),
    audit: (facts) => platform.audit.write(auditOf(facts, Date.now())),
  });
}

async function find(session: Session, options: FilterOptions, state: string | undefined): Promise<DeadLetter[]> {
  const letters = open(session);
  const filter: DeadLetterFilter = {
    ...(options.connection !== undefined && { connection: options.connection }),
    ...(options.class !== undefined && { errorClass: options.class }),
    ...(options.fingerprint !== undefined && { fingerprint: options.fingerprint }),
    ...(options.key !== undefined && { key: options.key }),
    ...(options.since !== undefined && { sinceMs: Date.parse(options.since) }),
  };
  const topics = options.topic ? [options.topic] : await nonEmpty(session, allTopics());
  const found: DeadLetter[] = [];
  for (const topic of topics) found.push(...(await letters.list(topic, filter)));
  return found.filter((letter) => state === undefined || state === 'all' || letter.state === state);
}

async function nonEmpty(session: Session, topics: readonly string[]): Promise<string[]> {
  const kept: string[] = [];
  for (const topic of topics) {
    const ranges = await session.admin.offsets(topic);
    if (ranges?.some(({ low, high }) => high > low)) kept.push(topic);
  }
  return kept;
}

async function listCommand(session: Session, options: FilterOptions): Promise<void> {
  const letters = (await find(session, options, options.state)).map(summaryOf);
  if (options.json) return print(JSON.stringify(letters, null, 2));
  if (letters.length === 0) return print('no dead letters');
  const rows = letters.map((row) => [
    row.id,
    row.state,
    row.class,
    row.code,
    row.attempts,
    row.event,
    row.connection,
    row.reason.slice(0, 80),
  ]);
  print(renderTable(['id', 'state', 'class', 'code', 'attempts', 'event', 'connection', 'reason'], rows));
}

async function showCommand(session: Session, id: string): Promise<void> {
  const letter = await open(session).show(id);
  const { record } = letter;
  print(JSON.stringify({ ...summaryOf(letter), headers: record.headers }, null, 2));
  if (record.value) print(await readable(session, record.value));
}

async function readable(session: Session, value: Buffer): Promise<string> {
  try {
    const decoded = await session.platform.codec.decode<Record<string, unknown>>(value);
    const shown = JSON.stringify(
      decoded.value,
      (_, member) => (Buffer.isBuffer(member) ? member.toString('utf8') : asText(member)),
      2,
    );
    return `${decoded.recordName} ${shown}`;
  } catch (error) {
    return `the value is not readable (${(error as Error).message}); base64:\n${value.toString('base64')}`;
  }
}

// JSON.stringify asks a Buffer for its own JSON form before the replacer sees it.
function asText(member: unknown): unknown {
  const bytes = member as { type?: string; data?: number[] } | null;
  return bytes?.type === 'Buffer' && bytes.data ? Buffer.from(bytes.data).toString('utf8') : member;
}

async function actCommand(
  session: Session,
  act: 'redrive' | 'discard',
  ids: readonly string[],
  options: ActOptions,
): Promise<void> {
  const letters = open(session);
  const hasFilter = [
    options.topic,
    options.connection,
    options.class,
    options.fingerprint,
    options.key,
    options.since,
  ].some((one) => one !== undefined);
  if (ids.length === 0 && !hasFilter)
    throw new CommandFailure('name dead letters by id, or a filter such as --connection');
  const chosen =
    ids.length > 0 ? await Promise.all(ids.map((id) => letters.show(id))) : await find(session, options, 'open');
  for (const letter of chosen)
    print(`${options.dryRun ? 'would ' : ''}${act} ${letter.id} (${summaryOf(letter).reason})`);
  if (options.dryRun) return print(`${chosen.length} dead letters; nothing was done`);
  const pauseMs = 1000 / Math.max(1, Number(options.rate));
  for (const letter of chosen) {
    if (act === 'redrive') await letters.redrive(letter, session.actor, options.reason);
    else await letters.discard(letter, session.actor, options.reason);
    await new Promise((resolve) => setTimeout(resolve, pauseMs));
  }
  print(`${chosen.length} dead letters: ${act === 'redrive' ? 'redriven' : 'discarded'}`);
}
