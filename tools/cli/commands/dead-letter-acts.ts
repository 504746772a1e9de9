import { randomUUID } from 'node:crypto';
import {
  DeadLetterJob,
  type JobOptions,
  type JobPlan,
  type JobProgress,
  type JobReport,
  LedgerReader,
  planJob,
} from '@tributary/operations';
import type { Command } from 'commander';
import { acting, CommandFailure, print } from '../run.js';
import type { Session } from '../session.js';
import {
  chosen,
  type FilterOptions,
  hasFilter,
  numberOf,
  openDeadLetters,
  withFilters,
} from './dead-letter-selection.js';
import { renderGroups } from './dead-letter-view.js';

interface ActOptions extends FilterOptions {
  readonly reason: string;
  readonly dryRun?: boolean;
  readonly rate: string;
  readonly canary?: boolean;
  readonly canaryTimeout?: string;
  readonly maxRedrives?: string;
}

type ActName = JobOptions['act'];

export function addDeadLetterActs(program: Command, dlt: Command): void {
  const redrive = dlt
    .command('redrive [ids...]')
    .description("send open dead letters through their group's own chain again, under the ids that they had");
  const discard = dlt.command('discard [ids...]').description('give open dead letters up for good');
  for (const [act, command] of [['redrive', redrive] as const, ['discard', discard] as const]) {
    withFilters(command)
      .option('--state <state>', 'open, or unfinished for acts that were left half-way', 'open')
      .requiredOption('--reason <text>', 'why, for the audit trail')
      .option('--dry-run', 'show how many of which cause, and do nothing')
      .option('--rate <n>', 'most dead letters a second', '50')
      .option('--json', 'print the plan or the report as JSON')
      .action(acting(program, (session, ids: string[], options: ActOptions) => actCommand(session, act, ids, options)));
  }
  redrive
    .option(
      '--canary',
      'send 1, then 10, then 100, then all, each time only after those before were settled and not dead',
    )
    .option('--canary-timeout <seconds>', 'longest wait for canaries', '60')
    .option('--max-redrives <n>', 'dead letters that were redriven so often already are left alone', '5');
}

async function actCommand(session: Session, act: ActName, ids: readonly string[], options: ActOptions): Promise<void> {
  if (ids.length === 0 && !hasFilter(options)) {
    throw new CommandFailure('name dead letters by id, or a filter such as --connection');
  }
  if (ids.length > 0 && hasFilter(options)) throw new CommandFailure('name dead letters by id or by filters, not both');
  const job = jobOptions(session, act, options);
  const letters = await chosen(session, ids, options);
  if (options.dryRun) return printPlan(await planJob(letters, job), act, options);
  const ledger = new LedgerReader(session.database, session.personal);
  const ports = {
    letters: openDeadLetters(session),
    outcomesOf: ledger.redriveOutcomes.bind(ledger),
    nowMs: Date.now,
    sleep: (ms: number) => new Promise<void>((resolve) => setTimeout(resolve, ms)),
  };
  printReport(await new DeadLetterJob(ports, job).run(letters), ids, options);
}

function jobOptions(session: Session, act: ActName, options: ActOptions): JobOptions {
  if (options.reason.trim() === '')
    throw new CommandFailure('--reason is empty; say why, for those who read the audit trail');
  const timeoutS = numberOf('--canary-timeout', options.canaryTimeout ?? '60', 1, 86_400);
  return {
    act,
    actor: session.actor,
    reason: options.reason,
    id: randomUUID(),
    perSecond: numberOf('--rate', options.rate, 0.01, 10_000),
    maxRedrives: numberOf('--max-redrives', options.maxRedrives ?? '5', 1, 1_000),
    ...(options.canary && { canary: { timeoutMs: timeoutS * 1000 } }),
    onProgress: progressPrinter(act),
  };
}

const progressEveryMs = 2_000;

/** On standard error, so that what is printed at the end can be read by a program. */
function progressPrinter(act: ActName): (progress: JobProgress) => void {
  let nextMs = Date.now() + progressEveryMs;
  return ({ done, refused, waitingFor }) => {
    if (Date.now() < nextMs) return;
    nextMs = Date.now() + progressEveryMs;
    const waits = waitingFor === undefined ? '' : `, waiting for ${waitingFor} to be settled`;
    process.stderr.write(`${act}: ${done} done, ${refused} refused${waits}\n`);
  };
}

const pastOf = { redrive: 'redriven', discard: 'discarded' } as const;

function printPlan({ groups, refused, refusals }: JobPlan, act: ActName, options: ActOptions): void {
  if (options.json) {
    print(JSON.stringify({ act, count: groups.total, groups: groups.list(), refused, refusals }, null, 2));
    return;
  }
  if (groups.total > 0) print(renderGroups(groups));
  for (const { why } of refusals) print(`refused: ${why}`);
  print(`would ${act} ${groups.total} dead letters, ${refused} refused; nothing was done`);
}

function printReport(report: JobReport, ids: readonly string[], { json }: ActOptions): void {
  const { id, act, done, refused, refusals, canaries, stopped } = report;
  // Whoever named a dead letter wants it done; a filter that also finds what others deal with is no failure.
  if (stopped !== undefined || (ids.length > 0 && refused > 0)) process.exitCode = 1;
  if (json) {
    print(JSON.stringify(report, null, 2));
    return;
  }
  for (const { why } of refusals) process.stderr.write(`tributary: ${why}\n`);
  for (const { size, outcomes } of canaries) {
    const counts = Object.entries(outcomes).map(([outcome, count]) => `${count} ${outcome}`);
    print(`canary of ${size}: ${counts.join(', ') || 'nothing settled'}`);
  }
  if (stopped !== undefined) process.stderr.write(`tributary: stopped: ${stopped}\n`);
  print(`${done} dead letters ${pastOf[act]}, ${refused} refused (job ${id})`);
}
