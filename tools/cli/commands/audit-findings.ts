import type { Finding } from '@tributary/ledger';

export function renderFindings(findings: readonly Finding[], more: number): string[] {
  const lines = findings.map(({ flaw, partition, what }) => {
    const where = partition === undefined ? '' : ` partition ${partition}:`;
    return `✗ ${flaw}:${where} ${what}`;
  });
  return more > 0 ? [...lines, `  and ${more} more`] : lines;
}
