import { globSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { type MetricName, metricCatalogue, prometheusName } from '@tributary/telemetry';
import { describe, expect, it } from 'vitest';
import { parse } from 'yaml';
import { createProgram } from '../cli/program.js';
import { repositoryRoot } from '../local-stack/index.js';
import { dashboards } from './dashboards/index.js';
import { namesIn } from './promql-names.js';
import { renderRules } from './render-rules.js';
import { alertCases } from './rules/alert-cases.js';
import { leastWrong } from './rules/error-budgets.js';
import { allAlerts, ruleGroups } from './rules/index.js';
import { isAlert, RuleTimes, slugOf, textOf } from './rules/rule.js';
import { commandLinesIn, commandsInText, whyNotACommand } from './runbook-commands.js';

const runbooks = new Map(
  globSync('docs/runbooks/*.md', { cwd: repositoryRoot() })
    .filter((path) => !path.endsWith('README.md'))
    .map((path) => [path.replace(/^.*\/|\.md$/g, ''), readFileSync(join(repositoryRoot(), path), 'utf8')]),
);
const alertNames = [...new Set(allAlerts().map(({ alert }) => alert))];
const recorded = new Set(
  ruleGroups().flatMap(({ rules }) => rules.flatMap((rule) => (isAlert(rule) ? [] : [rule.record]))),
);

/** Made by Prometheus itself. */
const ofPrometheus = new Set(['up', 'ALERTS']);
/** What Prometheus puts beside the labels of a target. */
const labelsOfPrometheus = ['job', 'instance', 'le', 'alertname', 'severity', 'alertstate'];

const exported = new Map<string, { readonly name: MetricName; readonly labels: readonly string[] }>();
for (const name of Object.keys(metricCatalogue) as MetricName[]) {
  const { kind, labels } = metricCatalogue[name];
  const known = { name, labels: labels.map((label) => label.replaceAll('.', '_')) };
  const base = prometheusName(name);
  for (const suffix of kind === 'histogram' ? ['_bucket', '_sum', '_count'] : [''])
    exported.set(`${base}${suffix}`, known);
}

const expressions = [
  ...dashboards.flatMap(({ slug, rows }) =>
    rows.flatMap(({ panels }) =>
      panels.flatMap(({ title, queries }) => queries.map(({ expr }) => [`${slug}: ${title}`, expr] as const)),
    ),
  ),
  ...ruleGroups().flatMap(({ rules }) =>
    rules.map(
      (rule) => [isAlert(rule) ? `${rule.alert} ${rule.labels?.window ?? ''}` : rule.record, rule.expr] as const,
    ),
  ),
];

describe('every expression of a dashboard or rule', () => {
  it.each(expressions)('is PromQL about metrics and labels that exist: %s', (_, expr) => {
    const { metrics, labels, error } = namesIn(expr);
    expect(error).toBeUndefined();
    expect(metrics.filter((name) => !exported.has(name) && !recorded.has(name) && !ofPrometheus.has(name))).toEqual([]);
    const known = new Set([...labelsOfPrometheus, ...metrics.flatMap((name) => exported.get(name)?.labels ?? [])]);
    if (metrics.some((name) => recorded.has(name))) known.add('destination');
    expect(labels.filter((label) => !known.has(label))).toEqual([]);
  });

  it('leaves no metric of the catalogue unseen', () => {
    const seen = new Set(
      expressions.flatMap(([, expr]) => namesIn(expr).metrics.map((name) => exported.get(name)?.name)),
    );
    expect((Object.keys(metricCatalogue) as MetricName[]).filter((name) => !seen.has(name))).toEqual([]);
  });
});

describe('the reader of expressions', () => {
  it.each([
    ['sum by (a) (rate(x_total{b="c"}[5m])) > 0', ['x_total'], ['a', 'b'], false],
    ['histogram_quantile(0.9, sum by (le) (rate(y_bucket[$__rate_interval])))', ['y_bucket'], ['le'], false],
    ['z and on (k) w', ['z', 'w'], ['k'], false],
    ['vector(0)', [], [], false],
    ['sum(rate(x[5m])', ['x'], [], true],
    ['x{a=b}', ['x'], ['a'], true],
    ['', [], [], true],
  ])('finds what %s names', (expr, metrics, labels, isWrong) => {
    const found = namesIn(expr);
    expect([found.metrics, found.labels, found.error !== undefined]).toEqual([metrics, labels, isWrong]);
  });
});

describe('the cases of alerts', () => {
  it.each(alertNames)('have %s fire in one, and be quiet in another', (alert) => {
    const cases = alertCases.filter((one) => one.alert === alert);
    expect(cases.some(({ fires }) => fires.length > 0)).toBe(true);
    expect(cases.some(({ fires }) => fires.length === 0)).toBe(true);
  });
});

describe('the rules', () => {
  it('are a file as Prometheus reads it', () => {
    const { groups } = parse(renderRules()) as { groups: { name: string; rules: Record<string, unknown>[] }[] };
    expect(groups.map(({ name }) => name)).toEqual(ruleGroups().map(({ name }) => name));
    const alerts = groups.flatMap(({ rules }) => rules).filter(({ alert }) => alert !== undefined);
    for (const alert of alerts) {
      expect(alert).toMatchObject({ labels: { severity: expect.stringMatching(/^(page|ticket)$/) } });
      expect(Object.keys(alert.annotations as object)).toEqual(['summary', 'description', 'runbook_url']);
    }
  });

  it('have the four windows of burn rates for each objective', () => {
    for (const name of ['DeliveryErrorBudgetBurn', 'AcceptanceErrorBudgetBurn']) {
      const found = allAlerts().filter(({ alert }) => alert === name);
      expect(
        found.map(({ expr }) => (/ratio_rate(\w+) > ([\d.]+) \*.*ratio_rate(\w+) >/.exec(expr) ?? []).slice(1)),
      ).toEqual([
        ['1h', '14.4', '5m'],
        ['6h', '6', '30m'],
        ['1d', '3', '2h'],
        ['3d', '1', '6h'],
      ]);
    }
  });

  it('have a floor under what went wrong in every window of a burn rate', () => {
    const burning = allAlerts().filter(({ alert }) => alert.endsWith('Burn'));
    expect(burning).toHaveLength(8);
    for (const { expr, labels } of burning)
      expect(expr).toMatch(new RegExp(`:increase${labels?.window} >= ${leastWrong}$`));
  });

  it.each([
    [60, 1, '1m'],
    [3_600, 20, '3m'],
    [300, 20, '15s'],
    [10, 100, '1s'],
    [259_200, 1, '3d'],
  ])('shorten %i s by %i to %s', (seconds, by, text) => {
    expect(new RuleTimes(by).range(seconds)).toBe(text);
  });

  it.each([
    [90, '90s'],
    [7_200, '2h'],
  ])('write %i s as %s', (seconds, text) => {
    expect(textOf(seconds)).toBe(text);
  });
});

describe('runbooks', () => {
  it('are one for each alert, and no other', () => {
    expect([...runbooks.keys()].sort()).toEqual(alertNames.map(slugOf).sort());
  });

  it.each(alertNames)('say what to do about %s, in commands that there are', (alert) => {
    const page = runbooks.get(slugOf(alert)) ?? '';
    const sections = [...page.matchAll(/^#+ (.*)$/gm)].map((match) => match[1]);
    expect(sections).toEqual([
      alert,
      'What it means',
      'Who is affected',
      'What to look at first',
      'What to do',
      'How to know it is over',
    ]);
    const lines = commandLinesIn(page);
    expect(lines.length).toBeGreaterThan(0);
    const program = createProgram();
    expect(lines.map((line) => whyNotACommand(line, program)).filter(Boolean)).toEqual([]);
    expect(
      commandsInText(page)
        .map((line) => whyNotACommand(line, program, false))
        .filter(Boolean),
    ).toEqual([]);
  });

  it.each(alertNames)('name panels, pages and settings that there are: %s', (alert) => {
    const page = runbooks.get(slugOf(alert)) ?? '';
    const titles = new Set(
      dashboards.flatMap(({ rows }) => rows.flatMap(({ panels }) => panels.map(({ title }) => title))),
    );
    const slugs = new Set(dashboards.map(({ slug }) => slug));
    for (const [, title = ''] of page.matchAll(/[Pp]anels? _([^_]+)_/g)) expect([...titles]).toContain(title);
    for (const [, slug = ''] of page.matchAll(/dashboard _([^_]+)_/g)) expect([...slugs]).toContain(slug);
    for (const [, link = ''] of page.matchAll(/\]\(([\w-]+)\.md\)/g)) expect([...runbooks.keys()]).toContain(link);
    const settings = readFileSync(join(repositoryRoot(), 'docs/generated/settings.md'), 'utf8');
    for (const [, name = ''] of page.matchAll(/`([A-Z]+_[A-Z_]+)`/g)) expect(settings).toContain(`\`${name}\``);
  });
});

describe('the check of commands', () => {
  const program = createProgram();

  it.each([
    'tributary prove --from 2026-01-31T00:00:00Z',
    'tributary trace <event id>',
    'tributary health --service http://a:1 http://b:2',
    "tributary resume out --reason 'a new token'",
    'tributary dlt redrive a.dlt/0/1 a.dlt/0/2 --dry-run',
  ])('takes %s', (line) => {
    expect(whyNotACommand(line, program)).toBeUndefined();
  });

  it.each([
    ['kubectl get pods', 'not with tributary'],
    ['tributary', 'nothing is no command'],
    ['tributary dlt', 'nothing is no command of dlt'],
    ['tributary dlt burn', 'burn is no command of dlt'],
    ['tributary prove --since yesterday', 'no option --since'],
    ['tributary prove --from', 'needs a value'],
    ['tributary trace', 'too many or too few'],
    ['tributary trace a b', 'too many or too few'],
    ['tributary connections all', 'too many or too few'],
  ])('refuses %s', (line, why) => {
    expect(whyNotACommand(line, program)).toContain(why);
  });
});
