import { consumerGroups } from './consumers.js';
import { deliveryRules } from './deliveries.js';
import { edgeRules } from './edge.js';
import { errorBudgetGroups } from './error-budgets.js';
import { ledgerRules } from './ledger.js';
import { processRules } from './processes.js';
import { type AlertRule, isAlert, type RuleGroup, RuleTimes } from './rule.js';

export const ruleGroups = (times = new RuleTimes()): RuleGroup[] => [
  ...errorBudgetGroups(times),
  deliveryRules(times),
  consumerGroups(times),
  edgeRules(times),
  ledgerRules(times),
  processRules(),
];

/** All alerts; those with several windows come several times. */
export const allAlerts = (): AlertRule[] => ruleGroups().flatMap(({ rules }) => rules.filter(isAlert));
