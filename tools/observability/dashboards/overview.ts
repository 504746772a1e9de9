import { buckets, metric, over, quantile, rate } from '../promql.js';
import { type DashboardSpec, quantiles, window } from './panel.js';

const delivered = { outcome: '="delivered"' };

export const overview: DashboardSpec = {
  slug: 'overview',
  title: 'Tributary: overview',
  description: 'Does it flow, does anybody have to act.',
  choices: [],
  rows: [
    {
      title: 'Does anybody have to act',
      panels: [
        {
          title: 'Alerts that fire',
          description: 'Each links to its runbook.',
          unit: 'short',
          queries: [
            {
              expr: 'sum by (alertname, severity) (ALERTS{alertstate="firing"})',
              legend: '{{alertname}} {{severity}}',
            },
          ],
          emptyWhile: 'nothing is wrong',
        },
        {
          title: 'The proof closes',
          description: '1: every offset of the last hour is accounted for. 0: see the runbook of ProofFailing.',
          unit: 'short',
          form: 'number',
          queries: [{ expr: over('min', [], metric('proof.closes')), legend: 'closes' }],
        },
        {
          title: 'Open dead letters',
          description: 'What will not succeed by itself and waits for a person.',
          unit: 'short',
          form: 'number',
          queries: [{ expr: over('max', ['topic'], metric('dead.letters.open')), legend: '{{topic}}' }],
        },
        {
          title: 'Suspended connections',
          description: 'Connections whose records wait until a person has mended something.',
          unit: 'short',
          form: 'number',
          queries: [{ expr: over('max', ['destination'], metric('connections.suspended')), legend: '{{destination}}' }],
        },
      ],
    },
    {
      title: 'Does it flow',
      panels: [
        {
          title: 'Requests to ingress',
          description: 'By status. 4xx is theirs to mend, 5xx ours.',
          unit: 'reqps',
          queries: [{ expr: over('sum', ['status'], rate(metric('ingress.requests'), window)), legend: '{{status}}' }],
        },
        {
          title: 'Delivered',
          description: 'Deliveries that a destination has taken.',
          unit: 'cps',
          queries: [
            {
              expr: over('sum', ['destination'], rate(metric('delivery.attempts', delivered), window)),
              legend: '{{destination}}',
            },
          ],
        },
        {
          title: 'From acceptance to delivery',
          description: 'Waits for a destination that was down are part of it.',
          unit: 's',
          queries: quantiles.map(({ share, name }) => ({
            expr: quantile(share, [], rate(buckets('delivery.duration', delivered), window)),
            legend: name,
          })),
        },
        {
          title: 'Oldest record that is not settled',
          description: 'Of each consumer group. It grows steadily where something stands still.',
          unit: 's',
          queries: [{ expr: over('max', ['group'], metric('unacknowledged.oldest.age')), legend: '{{group}}' }],
        },
        {
          title: 'Services that answer',
          description: 'Processes that Prometheus can scrape.',
          unit: 'short',
          queries: [{ expr: 'sum by (job) (up)', legend: '{{job}}' }],
        },
        {
          title: 'Errors at destinations',
          description: 'Share of attempts that failed; being asked to wait is no failure.',
          unit: 'percentunit',
          queries: [{ expr: 'destination:delivery_attempt_errors:ratio_rate5m', legend: '{{destination}}' }],
        },
      ],
    },
  ],
};
