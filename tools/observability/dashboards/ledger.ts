import { buckets, metric, over, quantile, rate } from '../promql.js';
import { type DashboardSpec, quantiles, window } from './panel.js';

export const ledgerDashboard: DashboardSpec = {
  slug: 'ledger',
  title: 'Tributary: ledger',
  description: 'Is everything written down, is it signed, does it prove.',
  choices: [],
  rows: [
    {
      title: 'Proof',
      panels: [
        {
          title: 'The proof closes',
          description: '1: every offset of the last hour is accounted for.',
          unit: 'short',
          form: 'number',
          queries: [{ expr: over('min', [], metric('proof.closes')), legend: 'closes' }],
        },
        {
          title: 'Findings',
          description: 'What the last proof found wrong; `tributary prove` names each.',
          unit: 'short',
          form: 'number',
          queries: [{ expr: over('max', [], metric('proof.findings')), legend: 'findings' }],
        },
        {
          title: 'Age of the proof',
          description: 'Since one was carried through, whatever it found.',
          unit: 's',
          queries: [{ expr: over('min', [], metric('proof.age')), legend: 'age' }],
        },
      ],
    },
    {
      title: 'Rows',
      panels: [
        {
          title: 'Rows written',
          description: 'About six for each event.',
          unit: 'cps',
          queries: [{ expr: over('sum', [], rate(metric('ledger.rows'), window)), legend: 'rows' }],
        },
        {
          title: 'Time of a batch',
          description: 'Until it is durable.',
          unit: 's',
          queries: quantiles.map(({ share, name }) => ({
            expr: quantile(share, [], rate(buckets('ledger.write.duration'), window)),
            legend: name,
          })),
        },
        {
          title: 'Lag in time',
          description: 'Age of the oldest audit record that is not a row.',
          unit: 's',
          queries: [
            {
              expr: over('max', ['partition'], metric('lag.time', { group: '="audit-logger"' })),
              legend: '{{partition}}',
            },
          ],
        },
        {
          title: 'Lag in records',
          description: 'Audit records that are not committed as rows.',
          unit: 'short',
          queries: [
            { expr: over('max', ['topic'], metric('lag.records', { group: '="audit-logger"' })), legend: '{{topic}}' },
          ],
        },
      ],
    },
    {
      title: 'Trees',
      panels: [
        {
          title: 'Checkpoints',
          description: 'Signed and published.',
          unit: 'cps',
          queries: [{ expr: over('sum', [], rate(metric('ledger.checkpoints'), window)), legend: 'checkpoints' }],
        },
        {
          title: 'Age of the tree that is furthest behind',
          description: 'Since it was found or made up to date, signed included.',
          unit: 's',
          queries: [{ expr: over('max', ['instance'], metric('ledger.checkpoint.age')), legend: '{{instance}}' }],
        },
        {
          title: 'Trees that are not signed',
          description: 'Because they contradict what was signed, or have a gap. Must be 0.',
          unit: 'short',
          form: 'number',
          queries: [{ expr: over('sum', [], metric('ledger.trees.refused')), legend: 'trees' }],
        },
      ],
    },
    {
      title: 'Questions',
      panels: [
        {
          title: 'Questions to the console',
          description: 'A second, by status.',
          unit: 'reqps',
          queries: [{ expr: over('sum', ['status'], rate(metric('console.requests'), window)), legend: '{{status}}' }],
          emptyWhile: 'nobody has asked since the console started',
        },
        {
          title: 'Time of an answer',
          description: 'Of the console.',
          unit: 's',
          queries: quantiles.map(({ share, name }) => ({
            expr: quantile(share, [], rate(buckets('console.request.duration'), window)),
            legend: name,
          })),
          emptyWhile: 'nobody has asked since the console started',
        },
      ],
    },
  ],
};
