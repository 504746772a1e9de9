import { readdirSync, readFileSync } from 'node:fs';

/** Linux counts in hundredths of a second. */
const msPerTick = 10;

interface Usage {
  readonly parent: number;
  readonly ms: number;
}

/**
 * CPU milliseconds that each process and all its children have used: PostgreSQL works in children. Empty where the system has no
 * /proc.
 */
export function cpuMsOf(pids: ReadonlyMap<string, number>): Map<string, number> {
  const usages = allUsages();
  if (usages.size === 0) return new Map();
  return new Map([...pids].map(([name, pid]) => [name, sumOfTree(pid, usages)]));
}

export function difference(
  after: ReadonlyMap<string, number>,
  before: ReadonlyMap<string, number>,
): Map<string, number> {
  return new Map([...after].map(([name, ms]) => [name, ms - (before.get(name) ?? 0)]));
}

function allUsages(): Map<number, Usage> {
  const usages = new Map<number, Usage>();
  for (const name of processNames()) {
    const usage = usageOf(name);
    if (usage) usages.set(Number(name), usage);
  }
  return usages;
}

function processNames(): string[] {
  try {
    return readdirSync('/proc').filter((name) => /^\d+$/.test(name));
  } catch {
    return [];
  }
}

/** Undefined for a process that ended meanwhile. */
function usageOf(pid: string): Usage | undefined {
  try {
    // The name in parentheses may hold spaces; the numbers begin after it.
    const text = readFileSync(`/proc/${pid}/stat`, 'utf8');
    const fields = text.slice(text.lastIndexOf(') ') + 2).split(' ');
    return { parent: Number(fields[1]), ms: (Number(fields[11]) + Number(fields[12])) * msPerTick };
  } catch {
    return undefined;
  }
}

function sumOfTree(root: number, usages: ReadonlyMap<number, Usage>): number {
  const own = usages.get(root)?.ms ?? 0;
  const children = [...usages].filter(([, { parent }]) => parent === root);
  return children.reduce((sum, [pid]) => sum + sumOfTree(pid, usages), own);
}
