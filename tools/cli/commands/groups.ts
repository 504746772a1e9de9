import { acceptOffsets, type UnreadableOffset, unreadableAmong } from '@tributary/kafka';
import { consumerGroups, offsetsAccepted, topicsOfGroup } from '@tributary/operations';
import type { Command } from 'commander';
import { acting, CommandFailure, print } from '../run.js';
import type { Session } from '../session.js';
import { renderTable } from '../table.js';

interface AcceptOptions {
  readonly reason?: string;
  readonly yes?: boolean;
  readonly json?: boolean;
}

export function addGroupCommands(program: Command): void {
  const group = program.command('group').description('consumer groups');
  group
    .command('accept-offsets <group>')
    .description(
      'let partitions go on whose commit metadata nobody can read: the offset is kept, what was finished above it is forgotten',
    )
    .option('--reason <text>', 'why, for the audit trail; needed with --yes')
    .option('--yes', 'do it; without it only what would be done is shown')
    .option('--json', 'print as JSON')
    .action(acting(program, acceptCommand));
}

interface StoppedPartition extends UnreadableOffset {
  /** Records above the offset: at most so many are handled again. */
  readonly above: number;
}

async function acceptCommand(session: Session, group: string, options: AcceptOptions): Promise<void> {
  const stopped = await stoppedPartitions(session, group);
  if (options.json) print(JSON.stringify({ group, partitions: stopped, accepted: options.yes === true }, null, 2));
  else print(stopped.length === 0 ? `every committed offset of ${group} can be read` : renderStopped(stopped));
  if (stopped.length === 0) return;
  if (!options.yes) {
    if (!options.json) print('nothing was done; --yes --reason <text> accepts them, once the service is stopped');
    return;
  }
  if (!options.reason?.trim()) throw new CommandFailure('say why: --reason <text>');
  await acceptOffsets(session.platform.client, session.admin, group, stopped);
  await session.platform.audit.write(
    offsetsAccepted({ group, offsets: stopped, actor: session.actor, reason: options.reason }, Date.now()),
  );
  if (!options.json) print(`accepted ${stopped.length} offsets of ${group}; start the service again`);
}

async function stoppedPartitions(session: Session, group: string): Promise<StoppedPartition[]> {
  const topics = topicsOfGroup(group);
  if (topics.length === 0) {
    throw new CommandFailure(`there is no group ${group}; there are ${consumerGroups().join(', ')}`);
  }
  const existing: string[] = [];
  const ends = new Map<string, number>();
  for (const topic of topics) {
    const ranges = await session.admin.offsets(topic);
    if (!ranges) continue;
    existing.push(topic);
    for (const { partition, high } of ranges) ends.set(`${topic}/${partition}`, high);
  }
  const unreadable = unreadableAmong(await session.admin.groupOffsets(group, existing));
  return unreadable.map((one) => ({
    ...one,
    above: Math.max(0, (ends.get(`${one.topic}/${one.partition}`) ?? one.offset) - one.offset),
  }));
}

const renderStopped = (partitions: readonly StoppedPartition[]): string =>
  renderTable(
    ['topic', 'partition', 'offset', 'records above, at most again', 'why it cannot be read'],
    partitions.map(({ topic, partition, offset, above, reason }) => [topic, partition, offset, above, reason]),
  );
