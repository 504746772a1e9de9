/** A Markdown table, aligned as the formatter wants it. Cells keep to their line and column whatever they hold. */
export function table(head: readonly string[], rows: readonly (readonly string[])[]): string {
  const cells = [head, ...rows].map((row) => row.map(cell));
  const widths = head.map((_, column) => Math.max(3, ...cells.map((row) => [...(row[column] ?? '')].length)));
  const line = (row: readonly string[], fill = ' ') =>
    `| ${widths.map((width, column) => pad(row[column] ?? '', width, fill)).join(' | ')} |`;
  const [first = [], ...others] = cells;
  return [line(first), line([], '-'), ...others.map((row) => line(row))].join('\n');
}

const pad = (text: string, width: number, fill: string): string => text + fill.repeat(width - [...text].length);

function cell(text: string): string {
  return (
    text
      .replaceAll('|', '\\|')
      .replaceAll(/\s*\n\s*/g, ' ')
      .trim() || '-'
  );
}

export const code = (text: string): string => `\`${text}\``;

export function page(title: string, derivedFrom: string, ...blocks: readonly string[]): string {
  const notice = `<!-- Generated from ${derivedFrom} by \`npm run generate\`. Do not edit. -->`;
  return `${[`${notice}\n# ${title}`, ...blocks].join('\n\n')}\n`;
}
