import { buckets, countOf, metric, over, quantile, rate } from '../promql.js';
import { type DashboardSpec, type Panel, quantiles, window } from './panel.js';

const destination = { destination: '=~"$destination"' };
const group = { group: '=~"connector-($destination)"' };
const topic = { topic: '=~"delivery[.]($destination)[.]v1[.]dlt"' };
const attempts = (matchers = {}) => rate(metric('delivery.attempts', { ...destination, ...matchers }), window);

const outcome: readonly Panel[] = [
  {
    title: 'Success rate',
    description: 'Share of attempts that were delivered; being asked to wait counts on neither side.',
    unit: 'percentunit',
    queries: [
      {
        expr: `${over('sum', ['destination'], attempts({ outcome: '="delivered"' }))} / ${over('sum', ['destination'], attempts({ outcome: '!="throttled"' }))}`,
        legend: '{{destination}}',
      },
    ],
  },
  {
    title: 'Error rate',
    description: 'Share of attempts by how they failed.',
    unit: 'percentunit',
    queries: [
      {
        expr: `${over('sum', ['destination', 'outcome'], attempts({ outcome: '!="delivered"' }))} / on (destination) group_left ${over('sum', ['destination'], attempts())}`,
        legend: '{{destination}} {{outcome}}',
      },
    ],
  },
  {
    title: 'Attempts',
    description: 'A second, by outcome.',
    unit: 'cps',
    queries: [{ expr: over('sum', ['destination', 'outcome'], attempts()), legend: '{{destination}} {{outcome}}' }],
  },
  {
    title: 'Attempts for each delivery',
    description: '1: all succeed at once. While a destination is down nothing ends, so it has no value.',
    unit: 'short',
    queries: [
      {
        expr: `${over('sum', ['destination'], attempts())} / ${over('sum', ['destination'], rate(countOf('delivery.duration', destination), window))}`,
        legend: '{{destination}}',
      },
    ],
  },
  {
    title: 'Planned and ended',
    description: 'Deliveries that the router planned, and that were delivered or died.',
    unit: 'cps',
    queries: [
      {
        expr: over('sum', ['destination'], rate(metric('deliveries.planned', destination), window)),
        legend: '{{destination}} planned',
      },
      {
        expr: over('sum', ['destination', 'outcome'], rate(countOf('delivery.duration', destination), window)),
        legend: '{{destination}} {{outcome}}',
      },
    ],
  },
];

const times: readonly Panel[] = [
  {
    title: 'Time of an attempt',
    description: 'From the call to the answer, delivered or not.',
    unit: 's',
    queries: quantiles.map(({ share, name }) => ({
      expr: quantile(share, ['destination'], rate(buckets('delivery.attempt.duration', destination), window)),
      legend: `{{destination}} ${name}`,
    })),
  },
  {
    title: 'From acceptance to delivery',
    description: 'All waits are part of it.',
    unit: 's',
    queries: quantiles.map(({ share, name }) => ({
      expr: quantile(
        share,
        ['destination'],
        rate(buckets('delivery.duration', { ...destination, outcome: '="delivered"' }), window),
      ),
      legend: `{{destination}} ${name}`,
    })),
  },
  {
    title: 'Not delivered within a minute',
    description: 'Share of what was planned in the last five minutes; the objective is 1 % over 30 days.',
    unit: 'percentunit',
    queries: [
      { expr: 'destination:deliveries_late:ratio_rate5m{destination=~"$destination"}', legend: '{{destination}}' },
    ],
  },
  {
    title: 'Lag in time',
    description: 'Age of the oldest record of each partition that is not settled.',
    unit: 's',
    queries: [
      { expr: over('max', ['group', 'partition'], metric('lag.time', group)), legend: '{{group}} {{partition}}' },
    ],
  },
  {
    title: 'Lag in records',
    description:
      'What the group has not committed. In the retry topic: what is parked, and what is finished behind it.',
    unit: 'short',
    queries: [{ expr: over('max', ['group', 'topic'], metric('lag.records', group)), legend: '{{topic}}' }],
  },
  {
    title: 'Later than due (p99)',
    description: 'How much later than due a record was attempted that had to wait: for a retry, or at a gate.',
    unit: 's',
    queries: [
      {
        expr: quantile(0.99, ['group', 'kind'], rate(buckets('delay.error', group), window)),
        legend: '{{group}} {{kind}}',
      },
    ],
  },
];

const waiting: readonly Panel[] = [
  {
    title: 'Closed gates',
    description: 'By what closed them. busy: all places are taken, and nothing is wrong.',
    unit: 'short',
    queries: [
      { expr: over('sum', ['group', 'reason'], metric('gates.closed', group)), legend: '{{group}} {{reason}}' },
    ],
  },
  {
    title: 'Keys that stand still',
    description: 'Others flow meanwhile. `tributary lanes` names them.',
    unit: 'short',
    queries: [{ expr: over('sum', ['group', 'state'], metric('keys.held', group)), legend: '{{group}} {{state}}' }],
  },
  {
    title: 'How long keys have stood still',
    description: 'The one that has done so longest: waiting for its turn, and behind a dead letter.',
    unit: 's',
    queries: [
      { expr: over('max', ['group'], metric('keys.held.oldest.age', group)), legend: '{{group}} waiting' },
      { expr: over('max', ['group'], metric('keys.dead.oldest.age', group)), legend: '{{group}} behind a dead letter' },
    ],
  },
  {
    title: 'Parked records',
    description: 'In the retry topic, due later.',
    unit: 'short',
    queries: [{ expr: over('sum', ['group'], metric('records.parked', group)), legend: '{{group}}' }],
  },
  {
    title: 'Suspended connections',
    description: 'A person must mend them, then `tributary resume`.',
    unit: 'short',
    queries: [
      { expr: over('max', ['destination'], metric('connections.suspended', destination)), legend: '{{destination}}' },
    ],
  },
  {
    title: 'Budget left',
    description: 'Requests that a connection may send at once; of those that have least.',
    unit: 'short',
    queries: [
      {
        expr: over('min', ['destination', 'connection'], metric('connection.budget.left', destination)),
        legend: '{{destination}} {{connection}}',
      },
    ],
    emptyWhile: 'no chosen destination has a rate, nor told of one',
  },
  {
    title: 'Time until a new budget',
    description: 'Where the vendor says so.',
    unit: 's',
    queries: [
      {
        expr: over('max', ['destination', 'connection'], metric('connection.budget.reset', destination)),
        legend: '{{destination}} {{connection}}',
      },
    ],
    emptyWhile: 'no vendor has told of a budget',
  },
];

const dead: readonly Panel[] = [
  {
    title: 'Dead-lettered',
    description: 'By what was wrong with them.',
    unit: 'cps',
    queries: [
      {
        expr: over('sum', ['group', 'error_class'], rate(metric('records.dead_lettered', group), window)),
        legend: '{{group}} {{error_class}}',
      },
    ],
    emptyWhile: 'nothing has died since the connector started',
  },
  {
    title: 'Open dead letters',
    description: 'That nobody has redriven or discarded.',
    unit: 'short',
    queries: [{ expr: over('max', ['topic'], metric('dead.letters.open', topic)), legend: '{{topic}}' }],
  },
  {
    title: 'Age of the oldest open dead letter',
    description: 'After 14 days it is gone.',
    unit: 's',
    queries: [{ expr: over('max', ['topic'], metric('dead.letters.oldest.age', topic)), legend: '{{topic}}' }],
  },
  {
    title: 'Too early, and again',
    description:
      'Attempts before they were due must be 0. Attempts at what was settled already follow a lost partition.',
    unit: 'short',
    queries: [
      { expr: over('sum', ['group'], metric('attempts.early', group)), legend: '{{group}} early' },
      { expr: over('sum', ['group'], metric('attempts.repeated', group)), legend: '{{group}} again' },
    ],
  },
];

export const destinationDashboard: DashboardSpec = {
  slug: 'destination',
  title: 'Tributary: destination',
  description: 'How one destination takes what it is sent, and what waits for it.',
  choices: [
    {
      name: 'destination',
      title: 'Destination',
      from: { metric: metric('connections.suspended'), label: 'destination' },
    },
  ],
  rows: [
    { title: 'How attempts end', panels: outcome },
    { title: 'How long it takes', panels: times },
    { title: 'What waits', panels: waiting },
    { title: 'What died', panels: dead },
  ],
};
