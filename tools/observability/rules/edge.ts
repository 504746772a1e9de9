import { metric, over, rate } from '../promql.js';
import { minutes, type RuleGroup, type RuleTimes } from './rule.js';

const signature = { reason: '=~"signature-.*|api-key-wrong"' };

export const edgeRules = (times: RuleTimes): RuleGroup => {
  const range = times.range(minutes(5));
  const refused = over('sum', ['source'], rate(metric('ingress.rejections', signature), range));
  return {
    name: 'tributary-edge',
    rules: [
      {
        alert: 'IngressServerErrors',
        expr: `${over('sum', ['source'], rate(metric('ingress.requests', { status: '=~"5.."' }), range))} > 0`,
        forSeconds: minutes(5),
        severity: 'ticket',
        summary: 'ingress has answered requests of {{ $labels.source }} with 5xx for five minutes',
        description: 'Mostly Kafka does not take records in time, or a connection cannot be used. Senders try again.',
      },
      {
        alert: 'SignatureFailureSurge',
        expr: `${refused} > 0.2 and on (source) ${refused} / on (source) ${over('sum', ['source'], rate(metric('ingress.requests'), range))} > 0.05`,
        forSeconds: minutes(2),
        severity: 'ticket',
        summary:
          '{{ $value | humanize }} requests a second claim to be of {{ $labels.source }} and are not signed by it',
        description:
          'After a change of secrets it is ours to mend, and real events are being refused. Otherwise somebody tries to forge some; none came through.',
      },
    ],
  };
};
