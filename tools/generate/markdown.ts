/** A Markdown table. Cells keep to their line and their column whatever they hold. */
export function table(head: readonly string[], rows: readonly (readonly string[])[]): string {
  const line = (cells: readonly string[]) => `| ${cells.map(cell).join(' | ')} |`;
  return [line(head), line(head.map(() => '---')), ...rows.map(line)].join('\n');
}

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
