import { stringify } from 'yaml';
import { ruleGroups } from './rules/index.js';
import { type AlertRule, isAlert, type RuleGroup, RuleTimes, slugOf, textOf } from './rules/rule.js';

export interface RenderOptions {
  /** For a trial: every time is divided by it. */
  readonly dividedBy?: number;
  /** How often they are evaluated, in seconds; absent: as Prometheus does by default. */
  readonly intervalSeconds?: number;
}

/** A file that Prometheus takes as it is; `groups` is also what the spec of a PrometheusRule has. */
export function renderRules({ dividedBy = 1, intervalSeconds }: RenderOptions = {}): string {
  const times = new RuleTimes(dividedBy);
  const groups = ruleGroups(times).map((group) => groupOf(group, times, intervalSeconds));
  return stringify({ groups }, { lineWidth: 0 });
}

const groupOf = ({ name, rules }: RuleGroup, times: RuleTimes, intervalSeconds: number | undefined) => ({
  name,
  ...(intervalSeconds !== undefined && { interval: textOf(intervalSeconds) }),
  rules: rules.map((rule) => (isAlert(rule) ? alertOf(rule, times) : rule)),
});

const alertOf = ({ alert, expr, forSeconds, severity, summary, description, labels }: AlertRule, times: RuleTimes) => ({
  alert,
  expr,
  ...(forSeconds !== undefined && { for: times.range(forSeconds) }),
  labels: { severity, ...labels },
  annotations: { summary, description, runbook_url: `docs/runbooks/${slugOf(alert)}.md` },
});
