import { metric, over } from '../promql.js';
import { days, hours, minutes, type RuleGroup, type RuleTimes } from './rule.js';

const budgetBy = ['destination', 'connection'];

export const deliveryRules = (times: RuleTimes): RuleGroup => ({
  name: 'tributary-deliveries',
  rules: [
    {
      alert: 'DeadLettersOpen',
      expr: `${over('max', ['topic'], metric('dead.letters.open'))} > 0`,
      forSeconds: minutes(5),
      severity: 'ticket',
      summary: '{{ $value }} dead letters in {{ $labels.topic }}',
      description: 'They will not succeed by themselves. Nothing else waits for them, unless the connection is set to.',
    },
    {
      alert: 'DeadLetterOld',
      expr: `${over('max', ['topic'], metric('dead.letters.oldest.age'))} > ${times.seconds(days(7))}`,
      severity: 'page',
      summary: 'the oldest dead letter in {{ $labels.topic }} is {{ $value | humanizeDuration }} old',
      description: 'Half of the 14 days are over after which Kafka deletes it. Then it can only be told of, not sent.',
    },
    {
      alert: 'ConnectionSuspended',
      expr: `${over('max', ['destination'], metric('connections.suspended'))} > 0`,
      forSeconds: minutes(1),
      severity: 'page',
      summary: '{{ $value }} connections of {{ $labels.destination }} are suspended',
      description:
        'The destination does not know us any more, or is gone. Its records wait in order until a person has mended it.',
    },
    {
      alert: 'QuotaForecast',
      expr: `${over('min', budgetBy, metric('connection.budget.left'))} + on (${budgetBy.join(', ')}) ${over('max', budgetBy, metric('connection.budget.reset'))} * clamp_max(${over('min', budgetBy, `deriv(${metric('connection.budget.left')}[${times.range(minutes(5))}])`)}, 0) < 0`,
      forSeconds: minutes(2),
      severity: 'ticket',
      summary:
        'connection {{ $labels.connection }} of {{ $labels.destination }} will use its budget up before it is renewed',
      description:
        'Then its deliveries wait for the new budget, in order. If that is every day, it needs a larger one.',
    },
    {
      alert: 'BudgetUsedUp',
      expr: `${over('max', ['group'], metric('gates.closed', { reason: '="budget"' }))} > 0`,
      forSeconds: hours(1),
      severity: 'ticket',
      summary: 'connections of {{ $labels.group }} have been at the limit of their rate for an hour',
      description: 'More comes in than may go out, so what waits grows.',
    },
  ],
});
