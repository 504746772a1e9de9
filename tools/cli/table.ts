import Table from 'cli-table3';

const plain = {
  top: '',
  'top-mid': '',
  'top-left': '',
  'top-right': '',
  bottom: '',
  'bottom-mid': '',
  'bottom-left': '',
  'bottom-right': '',
  left: '',
  'left-mid': '',
  mid: '',
  'mid-mid': '',
  right: '',
  'right-mid': '',
  middle: '  ',
};

/** What others wrote, such as a destination's answer or an event's id: its control characters have no business in a terminal. */
export const oneLine = (text: string, most = 80): string => text.replaceAll(/[\p{Cc}\p{Cf}]+/gu, ' ').slice(0, most);

/** A table that a person can read and `awk` can split. Numbers stand to the right. */
export function renderTable(head: readonly string[], rows: ReadonlyArray<readonly (string | number)[]>): string {
  const colAligns = head.map((_, i) =>
    rows.every((row) => typeof row[i] === 'number') && rows.length > 0 ? 'right' : 'left',
  );
  const table = new Table({
    head: [...head],
    colAligns: colAligns as ('left' | 'right')[],
    chars: plain,
    style: { 'padding-left': 0, 'padding-right': 0, head: [], border: [] },
  });
  table.push(...rows.map((row) => row.map(String)));
  return table.toString().replace(/[ \t]+$/gm, '');
}
