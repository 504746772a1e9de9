import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { repositoryRoot } from '../local-stack/index.js';
import { dashboards } from '../observability/dashboards/index.js';
import type { Prometheus } from './prometheus.js';

export interface PanelResult {
  readonly dashboard: string;
  readonly panel: string;
  readonly query: string;
  readonly values: number;
  /** Why it may be empty; absent: it must not. */
  readonly emptyWhile?: string;
}

interface BuiltDashboard {
  readonly panels: ReadonlyArray<{
    readonly title?: string;
    readonly targets?: ReadonlyArray<{ readonly expr: string }>;
  }>;
}

/** Asks for what every panel of every generated dashboard shows, as Grafana would with everything chosen. */
export async function panelResults(prometheus: Prometheus, fromSeconds: number): Promise<PanelResult[]> {
  const results: PanelResult[] = [];
  const toSeconds = Date.now() / 1000;
  for (const { slug, rows, choices } of dashboards) {
    const specs = new Map(rows.flatMap(({ panels }) => panels.map((panel) => [panel.title, panel] as const)));
    for (const { title = '', targets = [] } of builtPanels(slug)) {
      const emptyWhile = specs.get(title)?.emptyWhile;
      for (const { expr } of targets) {
        const query = choices.reduce((text, { name }) => text.replaceAll(`$${name}`, '.+'), expr);
        const values = await prometheus.countOfValues(withWindow(query, '10s'), fromSeconds, toSeconds);
        results.push({ dashboard: slug, panel: title, query, values, ...(emptyWhile && { emptyWhile }) });
      }
    }
  }
  return results;
}

export const withWindow = (expr: string, window: string): string => expr.replaceAll('$__rate_interval', window);

/** The files that Grafana is given, not the values that they were made of. */
function builtPanels(slug: string): BuiltDashboard['panels'] {
  const file = join(repositoryRoot(), `k8s/chart/tributary/files/observability/dashboards/${slug}.json`);
  return (JSON.parse(readFileSync(file, 'utf8')) as BuiltDashboard).panels;
}

/** The query of one panel of a generated dashboard. */
export function queryOf(slug: string, title: string, part = 0): string {
  const expr = builtPanels(slug).find((panel) => panel.title === title)?.targets?.[part]?.expr;
  if (expr === undefined) throw new Error(`dashboard ${slug} has no panel ${title} with a query ${part}`);
  return expr;
}
