import { buckets, metric, over, quantile, rate } from '../promql.js';
import { type DashboardSpec, type Panel, window } from './panel.js';

const group = { group: '=~"$group"' };
const consumerGroup = { messaging_consumer_group_name: '=~"$group"' };

const consumers: readonly Panel[] = [
  {
    title: 'Ready',
    description: 'Processes whose group assigned them their partitions.',
    unit: 'short',
    queries: [{ expr: over('sum', ['group'], metric('consumer.ready', group)), legend: '{{group}}' }],
  },
  {
    title: 'Partitions assigned',
    description: 'Over all processes of the group.',
    unit: 'short',
    queries: [{ expr: over('sum', ['group'], metric('consumer.partitions', group)), legend: '{{group}}' }],
  },
  {
    title: 'Settled',
    description: 'Records a second, by how they were settled.',
    unit: 'cps',
    queries: [
      {
        expr: over('sum', ['group', 'settlement'], rate(metric('records.settled', group), window)),
        legend: '{{group}} {{settlement}}',
      },
    ],
  },
  {
    title: 'Time of an attempt (p95)',
    description: 'Handler, audit record and all.',
    unit: 's',
    queries: [
      {
        expr: quantile(
          0.95,
          ['messaging_destination_name'],
          rate(buckets('messaging.process.duration', consumerGroup), window),
        ),
        legend: '{{messaging_destination_name}}',
      },
    ],
  },
  {
    title: 'Commits',
    description: 'By result. A failed one is followed by another.',
    unit: 'cps',
    queries: [
      {
        expr: over('sum', ['group', 'result'], rate(metric('commits', group), window)),
        legend: '{{group}} {{result}}',
      },
    ],
  },
  {
    title: 'Paused partitions',
    description: 'By reason. prefetch and window are backpressure and pass; unreadable-map needs a person.',
    unit: 'short',
    queries: [
      { expr: over('sum', ['group', 'reason'], metric('partitions.paused', group)), legend: '{{group}} {{reason}}' },
    ],
  },
  {
    title: 'Pauses without a reason',
    description: 'Ended by the watchdog. Must be 0.',
    unit: 'short',
    queries: [{ expr: over('sum', ['group'], metric('pauses.ended', group)), legend: '{{group}}' }],
  },
];

const memory: readonly Panel[] = [
  {
    title: 'Records in memory',
    description: 'Taken and not settled.',
    unit: 'short',
    queries: [{ expr: over('sum', ['group'], metric('window.records', group)), legend: '{{group}}' }],
  },
  {
    title: 'Bytes in memory',
    description: 'Of these records.',
    unit: 'bytes',
    queries: [{ expr: over('sum', ['group'], metric('window.size', group)), legend: '{{group}}' }],
  },
  {
    title: 'Largest completion map',
    description: 'At 75 % of 2,250 bytes its partition is paused.',
    unit: 'bytes',
    queries: [{ expr: over('max', ['group'], metric('window.map.size', group)), legend: '{{group}}' }],
  },
];

const kafka: readonly Panel[] = [
  {
    title: 'Sent',
    description: 'Records a second that Kafka acknowledged.',
    unit: 'cps',
    queries: [
      {
        expr: over('sum', ['messaging_destination_name'], rate(metric('messaging.client.sent.messages'), window)),
        legend: '{{messaging_destination_name}}',
      },
    ],
  },
  {
    title: 'Consumed',
    description: 'Records a second that were fetched.',
    unit: 'cps',
    queries: [
      {
        expr: over(
          'sum',
          ['messaging_destination_name'],
          rate(metric('messaging.client.consumed.messages', consumerGroup), window),
        ),
        legend: '{{messaging_destination_name}}',
      },
    ],
  },
  {
    title: 'Requests to Kafka (p95)',
    description: 'A poll waits for records; sends and commits should take milliseconds.',
    unit: 's',
    queries: [
      {
        expr: quantile(
          0.95,
          ['job', 'messaging_operation_name'],
          rate(buckets('messaging.client.operation.duration'), window),
        ),
        legend: '{{job}} {{messaging_operation_name}}',
      },
    ],
  },
];

const processes: readonly Panel[] = [
  {
    title: 'CPU',
    description: 'Cores in use. One process uses about one at most.',
    unit: 'short',
    queries: [{ expr: over('sum', ['job', 'instance'], rate(metric('process.cpu.time'), window)), legend: '{{job}}' }],
  },
  {
    title: 'Memory',
    description: 'Resident, and the part that is heap.',
    unit: 'bytes',
    queries: [
      { expr: metric('process.memory.usage'), legend: '{{job}} resident' },
      { expr: metric('v8js.memory.heap.used'), legend: '{{job}} heap' },
    ],
  },
  {
    title: 'Heap in use of what Node may take',
    description: 'Near 1 the process is about to end.',
    unit: 'percentunit',
    queries: [{ expr: `${metric('v8js.memory.heap.used')} / ${metric('v8js.memory.heap.limit')}`, legend: '{{job}}' }],
  },
  {
    title: 'Event loop busy',
    description: 'Near 1 the process is at its end: add another.',
    unit: 'percentunit',
    queries: [{ expr: metric('nodejs.eventloop.utilization'), legend: '{{job}}' }],
  },
  {
    title: 'Event loop late',
    description: 'Whatever a process does waits that long.',
    unit: 's',
    queries: [
      { expr: metric('nodejs.eventloop.delay.p50'), legend: '{{job}} p50' },
      { expr: metric('nodejs.eventloop.delay.p99'), legend: '{{job}} p99' },
    ],
  },
];

export const runtimeDashboard: DashboardSpec = {
  slug: 'runtime',
  title: 'Tributary: runtime',
  description: 'Consumers, producers and processes.',
  choices: [{ name: 'group', title: 'Consumer group', from: { metric: metric('consumer.ready'), label: 'group' } }],
  rows: [
    { title: 'Consumers', panels: consumers },
    { title: 'What they hold', panels: memory },
    { title: 'Kafka', panels: kafka },
    { title: 'Processes', panels: processes },
  ],
};
