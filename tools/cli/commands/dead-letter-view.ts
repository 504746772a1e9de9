import type { DeadLetterGroups, DeadLetterSummary } from '@tributary/operations';
import { renderTable } from '../table.js';

export function renderGroups(groups: DeadLetterGroups): string {
  const rows = groups
    .list()
    .map((group) => [
      group.fingerprint,
      group.count,
      group.firstSeen,
      group.lastSeen,
      group.group,
      connectionsText(group),
      group.class,
      group.code,
      oneLine(group.reason),
      group.example,
    ]);
  const head = ['fingerprint', 'count', 'first seen', 'last seen', 'group', 'connections', 'class', 'code', 'reason'];
  const more = groups.beyond > 0 ? `\n${groups.beyond} more of other causes: narrow it with filters` : '';
  return `${renderTable([...head, 'example'], rows)}${more}`;
}

function connectionsText({
  connections,
  otherConnections,
}: {
  connections: Readonly<Record<string, number>>;
  otherConnections: number;
}): string {
  const named = Object.entries(connections).sort(([, a], [, b]) => b - a);
  const shown = named.slice(0, 3).map(([id, count]) => `${id}: ${count}`);
  const hidden = named.slice(3).reduce((sum, [, count]) => sum + count, otherConnections);
  return hidden > 0 ? `${shown.join(', ')}, others: ${hidden}` : shown.join(', ');
}

export const renderList = (letters: readonly DeadLetterSummary[]): string =>
  renderTable(
    ['id', 'state', 'class', 'code', 'attempts', 'redrives', 'event', 'connection', 'reason'],
    letters.map((row) => [
      row.id,
      row.state,
      row.class,
      row.code,
      row.attempts,
      row.redrives,
      row.event,
      row.connection,
      oneLine(row.reason),
    ]),
  );

// A reason quotes the destination's answer: control characters of somebody else have no business in a terminal.
const oneLine = (text: string): string => text.replaceAll(/[\p{Cc}\p{Cf}]+/gu, ' ').slice(0, 80);
