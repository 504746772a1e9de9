import { increase, metric, over, rate } from '../promql.js';
import { hours, minutes, type RuleGroup, type RuleTimes } from './rule.js';

export const consumerGroups = (times: RuleTimes): RuleGroup => ({
  name: 'tributary-consumers',
  rules: [
    {
      alert: 'OldestUnacknowledged',
      expr: `${over('max', ['group'], metric('unacknowledged.oldest.age', { group: '!="audit-logger"' }))} > ${times.seconds(minutes(15))}`,
      forSeconds: minutes(5),
      severity: 'page',
      summary: '{{ $labels.group }} has a record that has waited {{ $value | humanizeDuration }}',
      description: 'Something is slow, down or closed. Other keys and connections flow meanwhile.',
    },
    {
      alert: 'ConsumerStuck',
      expr: `${over('max', ['group'], metric('unacknowledged.oldest.age'))} > ${times.seconds(minutes(5))} and on (group) ${over('sum', ['group'], rate(metric('records.settled'), times.range(minutes(10))))} == 0 unless on (group) ${over('sum', ['group'], metric('gates.closed', { reason: '!="busy"' }))} > 0`,
      forSeconds: minutes(5),
      severity: 'page',
      summary: '{{ $labels.group }} settles nothing though records wait',
      description: 'No gate is closed that would explain it: the consumer itself stands still.',
    },
    {
      alert: 'ConsumerWithoutAssignment',
      expr: `${over('sum', ['group'], metric('consumer.partitions'))} == 0`,
      forSeconds: minutes(5),
      severity: 'page',
      summary: '{{ $labels.group }} runs and has no partitions',
      description: 'It cannot join its group, or its topics are missing. Nothing of it is consumed.',
    },
    {
      alert: 'PartitionUnreadable',
      expr: `${over('sum', ['group'], metric('partitions.paused', { reason: '="unreadable-map"' }))} > 0`,
      severity: 'page',
      summary: '{{ $labels.group }} does not consume {{ $value }} partitions, because their commits cannot be read',
      description:
        'Somebody else committed for the group, or a newer release did. Going on without a decision could repeat or lose records, so it waits.',
    },
    {
      alert: 'CompletionMapFull',
      expr: `${over('sum', ['group'], metric('partitions.paused', { reason: '="map"' }))} > 0`,
      forSeconds: minutes(10),
      severity: 'ticket',
      summary:
        '{{ $labels.group }} pauses {{ $value }} partitions, because too many records are finished above waiting ones',
      description: 'What waits holds the commit back until the list of what is finished above it has no room left.',
    },
    {
      alert: 'PauseWithoutReason',
      expr: `${over('sum', ['group'], increase(metric('pauses.ended'), times.range(hours(1))))} > 0`,
      severity: 'ticket',
      summary: '{{ $labels.group }} had a partition paused for no reason',
      description: 'The watchdog ended the pause, so it flows again. It is a mistake of ours: report it with the log.',
    },
    {
      alert: 'RequestBeforeRetryAfter',
      expr: `${over('sum', ['group'], increase(metric('attempts.early'), times.range(hours(1))))} > 0`,
      severity: 'page',
      summary: '{{ $labels.group }} sent a request before the time its destination had asked for',
      description: 'It must never happen: vendors block who does not wait. It is a mistake of ours.',
    },
    {
      alert: 'KeysHeld',
      expr: `${over('max', ['group'], metric('keys.held.oldest.age'))} > ${times.seconds(hours(1))}`,
      forSeconds: minutes(5),
      severity: 'ticket',
      summary: 'a key of {{ $labels.group }} has stood still for {{ $value | humanizeDuration }}',
      description: 'All later records of the key wait behind one that does not succeed. After 72 h of trying it dies.',
    },
    {
      alert: 'DeadKeyHeld',
      expr: `${over('max', ['group'], metric('keys.dead.oldest.age'))} > ${times.seconds(hours(4))}`,
      forSeconds: minutes(5),
      severity: 'ticket',
      summary: 'a dead letter of {{ $labels.group }} has held its key for {{ $value | humanizeDuration }}',
      description:
        'The connection is set to hold a key behind its dead letters: it waits until a person redrives or discards.',
    },
  ],
});
