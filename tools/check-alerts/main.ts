import { spawnSync } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { findPrometheus } from '../observability/prometheus-binaries.js';
import { renderAlertTests } from '../observability/render-alert-tests.js';
import { renderRules } from '../observability/render-rules.js';
import { alertCases } from '../observability/rules/alert-cases.js';

/** Has promtool read the rules and try each alert in its cases. */
function main(): number {
  const promtool = findPrometheus('promtool');
  const folder = mkdtempSync(join(tmpdir(), 'tributary-alerts-'));
  try {
    writeFileSync(join(folder, 'rules.yaml'), renderRules());
    writeFileSync(join(folder, 'tests.yaml'), renderAlertTests('rules.yaml'));
    for (const args of [
      ['check', 'rules', 'rules.yaml'],
      ['test', 'rules', 'tests.yaml'],
    ]) {
      const { status } = spawnSync(promtool, args, { cwd: folder, stdio: 'inherit' });
      if (status !== 0) return 1;
    }
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
  console.log(`${alertCases.length} cases of ${new Set(alertCases.map(({ alert }) => alert)).size} alerts hold`);
  return 0;
}

try {
  process.exitCode = main();
} catch (error) {
  console.error(`check:alerts: ${error instanceof Error ? error.message : String(error)}`);
  process.exitCode = 1;
}
