import { buckets, metric, over, quantile, rate } from '../promql.js';
import { type DashboardSpec, quantiles, window } from './panel.js';

const source = { source: '=~"$source"' };
const requests = (matchers = {}) => rate(metric('ingress.requests', { ...source, ...matchers }), window);

export const sourceDashboard: DashboardSpec = {
  slug: 'source',
  title: 'Tributary: source',
  description: 'What one source sends, what is refused of it and why.',
  choices: [{ name: 'source', title: 'Source', from: { metric: metric('ingress.requests'), label: 'source' } }],
  rows: [
    {
      title: 'What comes in',
      panels: [
        {
          title: 'Requests',
          description: 'A second, by status.',
          unit: 'reqps',
          queries: [{ expr: over('sum', ['source', 'status'], requests()), legend: '{{source}} {{status}}' }],
        },
        {
          title: 'Accepted',
          description: 'Share of requests that are durable, or were before.',
          unit: 'percentunit',
          queries: [
            {
              expr: `${over('sum', ['source'], requests({ status: '=~"2.."' }))} / ${over('sum', ['source'], requests())}`,
              legend: '{{source}}',
            },
          ],
        },
        {
          title: 'Time of an answer',
          description: 'Nothing is answered 2xx before all replicas have it.',
          unit: 's',
          queries: quantiles.map(({ share, name }) => ({
            expr: quantile(share, ['source'], rate(buckets('ingress.request.duration', source), window)),
            legend: `{{source}} ${name}`,
          })),
        },
        {
          title: 'Refused',
          description:
            'By reason. signature-wrong after a change of secrets is ours to mend; otherwise somebody tries.',
          unit: 'reqps',
          queries: [
            {
              expr: over('sum', ['source', 'reason'], rate(metric('ingress.rejections', source), window)),
              legend: '{{source}} {{reason}}',
            },
          ],
          emptyWhile: 'nothing was refused since ingress started',
        },
      ],
    },
    {
      title: 'What becomes of it',
      panels: [
        {
          title: 'Normalized',
          description: 'Raw records by what became of them: normalized, duplicate, filtered, dead.',
          unit: 'cps',
          queries: [
            {
              expr: over('sum', ['source', 'outcome'], rate(metric('events.normalized', source), window)),
              legend: '{{source}} {{outcome}}',
            },
          ],
        },
        {
          title: 'Open dead letters',
          description: 'Bodies that could not be read.',
          unit: 'short',
          queries: [
            {
              expr: over('max', ['topic'], metric('dead.letters.open', { topic: '=~"raw[.]($source)[.]v1[.]dlt"' })),
              legend: '{{topic}}',
            },
          ],
        },
        {
          title: 'Lag in time of the normalizer',
          description: 'Age of the oldest raw record that is not normalized.',
          unit: 's',
          queries: [
            {
              expr: over('max', ['topic'], metric('lag.time', { topic: '=~"raw[.]($source)[.]v1"' })),
              legend: '{{topic}}',
            },
          ],
        },
        {
          title: 'Lag in records of the normalizer',
          description: 'Raw records that the normalizer has not committed.',
          unit: 'short',
          queries: [
            {
              expr: over('max', ['topic'], metric('lag.records', { topic: '=~"raw[.]($source)[.]v1"' })),
              legend: '{{topic}}',
            },
          ],
        },
      ],
    },
  ],
};
