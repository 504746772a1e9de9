import { metric, over } from '../promql.js';
import { hours, minutes, type RuleGroup, type RuleTimes } from './rule.js';

export const ledgerRules = (times: RuleTimes): RuleGroup => ({
  name: 'tributary-ledger',
  rules: [
    {
      alert: 'ProofFailing',
      expr: `${over('min', [], metric('proof.closes'))} == 0`,
      forSeconds: minutes(10),
      severity: 'page',
      summary: 'the proof over the last hour does not close',
      description:
        'An offset is not accounted for, or a sum does not add up, twice in a row. `tributary prove` names what.',
    },
    {
      alert: 'ProofStale',
      expr: `${over('min', [], metric('proof.age'))} > ${times.seconds(hours(1))}`,
      severity: 'ticket',
      summary: 'nothing was proved for {{ $value | humanizeDuration }}',
      description:
        'The console cannot reach Kafka or the database, or the proof takes too long. Nobody knows whether anything is missing.',
    },
    {
      alert: 'CheckpointStale',
      expr: `${over('max', ['instance'], metric('ledger.checkpoint.age'))} > ${times.seconds(minutes(10))}`,
      forSeconds: minutes(1),
      severity: 'page',
      summary: 'a tree of the ledger was not brought up to date for {{ $value | humanizeDuration }}',
      description: 'Rows that no checkpoint covers could be changed without anybody being able to tell.',
    },
    {
      alert: 'LedgerTreeRefused',
      expr: `${over('sum', [], metric('ledger.trees.refused'))} > 0`,
      severity: 'page',
      summary: '{{ $value }} trees of the ledger contradict what was signed, or have a gap',
      description:
        'Somebody changed or set back the ledger, or rows are missing. Nothing is signed until it is explained.',
    },
    {
      alert: 'LedgerWriterBehind',
      expr: `${over('max', [], metric('unacknowledged.oldest.age', { group: '="audit-logger"' }))} > ${times.seconds(minutes(2))}`,
      forSeconds: minutes(5),
      severity: 'page',
      summary: 'the ledger is {{ $value | humanizeDuration }} behind',
      description: 'Events flow all the same. What happened since is in Kafka for 14 days, and not yet in the ledger.',
    },
  ],
});
