import type { MetricDefinition } from './metric-definition.js';

/** The ledger and its proof. */
export const ledgerMetrics = {
  'ledger.rows': { kind: 'counter', description: 'Rows written to the ledger.', unit: '{row}', labels: [] },
  'ledger.write.duration': {
    kind: 'histogram',
    description: 'Time one batch of rows took to be durable in the ledger.',
    unit: 's',
    labels: [],
  },
  'ledger.checkpoints': {
    kind: 'counter',
    description: 'Checkpoints of the ledger that were signed and published.',
    unit: '{checkpoint}',
    labels: [],
  },
  'ledger.checkpoint.age': {
    kind: 'gauge',
    description:
      'How long ago the tree was found or made up to date, signed included, that has waited longest. Trees that cannot be signed grow older.',
    unit: 's',
    labels: [],
  },
  'ledger.trees.refused': {
    kind: 'gauge',
    description: 'Trees of the ledger that are not signed, because they contradict what was signed or have a gap.',
    unit: '{tree}',
    labels: [],
  },
  'proof.closes': {
    kind: 'gauge',
    description: '1: the last proof over the recent past closed; 0: it did not. Absent until the first one.',
    unit: '1',
    labels: [],
  },
  'proof.findings': {
    kind: 'gauge',
    description: 'What the last proof found wrong.',
    unit: '{finding}',
    labels: [],
  },
  'proof.age': {
    kind: 'gauge',
    description: 'Time since a proof was completed, whatever it found; before the first one since the start.',
    unit: 's',
    labels: [],
  },
} as const satisfies Record<string, MetricDefinition>;
