import { metric } from '../promql.js';
import { minutes, type RuleGroup } from './rule.js';

/** Job names of the chart and of the trial; a release may put its name before them. */
export const serviceJobs = '(.+-)?(ingress|normalizer|router|connector(-.+)?|audit-logger|console)';

export const processRules = (): RuleGroup => ({
  name: 'tributary-processes',
  rules: [
    {
      alert: 'ServiceDown',
      expr: `up{job=~"${serviceJobs}"} == 0`,
      forSeconds: minutes(5),
      severity: 'page',
      summary: '{{ $labels.job }} ({{ $labels.instance }}) does not answer',
      description: 'Others of the same service have taken its partitions over, if there are others.',
    },
    {
      alert: 'EventLoopBlocked',
      expr: `${metric('nodejs.eventloop.delay.p99')} > 1`,
      forSeconds: minutes(10),
      severity: 'ticket',
      summary: '{{ $labels.job }} ({{ $labels.instance }}) is {{ $value | humanizeDuration }} late with everything',
      description:
        'It has more to do than one process can, or something blocks it. Beyond 10 s it falls out of its group.',
    },
    {
      alert: 'HeapNearlyFull',
      expr: `${metric('v8js.memory.heap.used')} / ${metric('v8js.memory.heap.limit')} > 0.9`,
      forSeconds: minutes(10),
      severity: 'ticket',
      summary: '{{ $labels.job }} ({{ $labels.instance }}) uses {{ $value | humanizePercentage }} of its heap',
      description: 'It is about to end for want of memory. Its partitions move, and what was in flight is done again.',
    },
  ],
});
