import { LedgerReader, proofPorts, type StoryLine } from '@tributary/operations';
import { type ProofReport, type ProofScope, prove, waitingIn } from '@tributary/proof';
import { registry } from '@tributary/registry';
import type { Command } from 'commander';
import { acting, CommandFailure, print } from '../run.js';
import type { Session } from '../session.js';
import { oneLine, renderTable } from '../table.js';
import { stateOf } from './lanes.js';
import { timeOption } from './time-option.js';

/** Of a text of others on one line. */
const longestShown = 1_000;

interface ProveOptions {
  readonly from?: string;
  readonly to?: string;
  readonly wait: string;
  readonly settle: string;
  readonly tenant?: string;
  readonly event?: string;
  readonly full?: boolean;
  readonly open: string;
  readonly service?: string[];
  readonly json?: boolean;
}

export function addProofCommands(program: Command): void {
  program
    .command('prove')
    .description('check that every offset is accounted for and every sum closes; exits 1 and names what does not')
    .option('--from <time>', 'only records from this time on (ISO 8601 with a zone)')
    .option('--to <time>', 'only records before this time')
    .option('--tenant <id>', 'only what is of this tenant')
    .option('--event <id>', 'only what became of this event')
    .option('--full', 'read everything again, instead of only what is new since the last proof that closed')
    .option('--open <n>', 'most open items to explain', '50')
    .option('--service <url...>', 'base addresses of connectors, to see their closed gates')
    .option('--wait <seconds>', 'longest wait for the ledger to catch up', '30')
    .option('--settle <seconds>', 'longest wait until nothing is waiting any more; 0 proves at once', '0')
    .option('--json', 'print the whole report as JSON')
    .action(acting(program, proveCommand));
  program
    .command('trace <id>')
    .description('everything the ledger knows about an event, by event id or delivery id')
    .option('--json', 'print as JSON')
    .action(acting(program, traceCommand));
}

async function proveCommand(session: Session, options: ProveOptions): Promise<void> {
  const scope: ProofScope = {
    sources: [...registry.sources.keys()],
    destinations: [...registry.destinations.keys()],
    from: timeOption('--from', options.from) ?? null,
    to: timeOption('--to', options.to) ?? null,
    tenant: options.tenant,
    event: options.event,
    mostOpen: wholeNumber('--open', options.open, 10_000),
    memory: options.full ? 'replace' : 'use',
  };
  const { from, to } = scope;
  if (from && to && from >= to) throw new CommandFailure('--from is not before --to');
  const services = options.service ?? [];
  const world = {
    platform: session.platform,
    admin: session.admin,
    database: session.database,
    liveStates: () => Promise.all(services.map((service) => stateOf(service, 1_000))),
  };
  const ports = proofPorts(world, { waitMs: wholeNumber('--wait', options.wait, 86_400) * 1000, from, to });
  const deadline = Date.now() + wholeNumber('--settle', options.settle, 86_400) * 1000;
  let report = await prove(ports, scope);
  while (waitingIn(report) > 0 && Date.now() < deadline) {
    await new Promise((resolve) => setTimeout(resolve, 500));
    report = await prove(ports, scope);
  }
  print(options.json ? JSON.stringify(report, null, 2) : renderProof(report));
  if (!report.closes) process.exitCode = 1;
}

function wholeNumber(option: string, text: string, most: number): number {
  if (/^\d{1,6}$/.test(text) && Number(text) <= most) return Number(text);
  throw new CommandFailure(`${option} is ${text}; it must be a whole number from 0 to ${most}`);
}

export function renderProof(report: ProofReport): string {
  const { sources, domains, destinations, ledger } = report;
  const parts = [
    renderTable(
      ['source', 'accepted', 'normalized', 'duplicate', 'filtered', 'dead', 'waiting'],
      sources.map((row) => [
        row.source,
        row.accepted,
        row.normalized,
        row.duplicate,
        row.filtered,
        row.dead,
        row.waiting,
      ]),
    ),
    renderTable(
      ['domain', 'events', 'routed', 'dead', 'waiting'],
      domains.map((row) => [row.domain, row.events, row.routed, row.dead, row.waiting]),
    ),
    renderTable(
      ['destination', 'planned', 'delivered', 'dead', 'discarded', 'waiting'],
      destinations.map((row) => [row.destination, row.planned, row.delivered, row.dead, row.discarded, row.waiting]),
    ),
    ...renderOpen(report),
    ...nothingOf(report),
    `ledger: ${ledger.records} audit records, ${ledger.rows} rows, ${ledger.waiting} waiting`,
    ...report.findings.map(({ where, what }) => `✗ ${where}: ${what}`),
    ...(report.moreFindings > 0 ? [`  and ${report.moreFindings} more`] : []),
    report.closes ? '✓ the proof closes' : '✗ the proof does not close',
  ];
  return parts.join('\n\n').replace(/\n\n✗/g, '\n✗');
}

/** Nothing closes as well: a tenant whose name is misspelt would seem to be proven. */
function nothingOf({ tenant, sources, domains, destinations }: ProofReport): string[] {
  if (tenant === null || sources.length + domains.length + destinations.length > 0) return [];
  return [`note: there is nothing of tenant ${oneLine(tenant)} in what was proved`];
}

function renderOpen({ open, moreOpen }: ProofReport): string[] {
  if (open.length === 0) return [];
  const items = open.map(({ where, id, key, place, cause, why, since, command }) =>
    [
      `· ${where}: ${oneLine(id, longestShown)} (key ${oneLine(key, longestShown)}) is open since ${since ?? 'a time that is not known'}, ${place ? `in ${place}` : 'its place was not seen'}`,
      `    ${cause}: ${why}`,
      `    ${command}`,
    ].join('\n'),
  );
  const more = moreOpen > 0 ? [`  and ${moreOpen} more that are open (--open shows more)`] : [];
  return [[...items, ...more].join('\n')];
}

async function traceCommand(session: Session, id: string, options: { json?: boolean }): Promise<void> {
  const story = await new LedgerReader(session.database, session.personal).story(id);
  if (story.length === 0) throw new CommandFailure(`the ledger knows nothing about ${id}`);
  if (options.json) return print(JSON.stringify(story, null, 2));
  for (const line of story) {
    const where = [line.destination, line.connectionId].filter(Boolean).join('/');
    const attempt = line.attempt > 0 ? ` attempt ${line.attempt}` : '';
    print(
      `${line.occurredAt.toISOString()}  ${line.stage}  ${line.action} ${line.outcome}${attempt}  ${where}  ${line.origin ?? ''}${personalOf(line)}`,
    );
  }
  if (story.some(({ personal }) => personal === 'locked')) {
    process.stderr.write(
      'tributary: subjects, reasons and receipts are encrypted; give LEDGER_KEYS_FILE (and KEYS_DATABASE_URL, where it is not the default) to see them\n',
    );
  }
}

export function personalOf({ personal, reason, receipt }: Pick<StoryLine, 'personal' | 'reason' | 'receipt'>): string {
  if (personal === 'erased') return ' (erased)';
  const shown = (text: string) => oneLine(text, longestShown);
  return `${reason ? ` (${shown(reason)})` : ''}${receipt ? ` receipt ${shown(receipt)}` : ''}`;
}
