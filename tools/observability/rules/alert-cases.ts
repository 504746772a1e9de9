import { deadLetterTopicOf, topicFamilies } from '@tributary/contracts';
import type { MetricName } from '@tributary/telemetry';
import { buckets, type Matchers, metric } from '../promql.js';

const deadTopic = deadLetterTopicOf(topicFamilies.delivery('http')).name;

/** A moment at which rules are asked, and what must fire then. */
export interface AlertCase {
  readonly alert: string;
  readonly name: string;
  /** Selector, and its values from minute 0 on in promtool's shorthand: `0+1x60`, `_x10 5x20`. */
  readonly series: ReadonlyArray<readonly [selector: string, values: string]>;
  readonly atMinute: number;
  /** Labels of what fires, without alertname and alertstate. Empty: nothing does. */
  readonly fires: readonly Readonly<Record<string, string>>[];
}

/** A series: every label is given. */
function of(name: MetricName, labels: Readonly<Record<string, string>>): string {
  const matchers: Record<string, string> = {};
  for (const [label, value] of Object.entries(labels)) matchers[label] = `="${value}"`;
  return metric(name, matchers as Matchers);
}

const attempts = (destination: string, outcome: string) => of('delivery.attempts', { destination, outcome });
const requests = (source: string, status: string) => of('ingress.requests', { source, status });
const refused = (source: string, reason: string) => of('ingress.rejections', { source, reason });
const page = { severity: 'page' };
const ticket = { severity: 'ticket' };

/** Values above and below a limit, of an alert that compares one gauge. */
interface Limit {
  readonly alert: string;
  readonly selector: string;
  readonly over: string;
  readonly under: string;
  readonly minutes: number;
  readonly fires: Readonly<Record<string, string>>;
}

const limits: readonly Limit[] = [
  {
    alert: 'OldestUnacknowledged',
    selector: of('unacknowledged.oldest.age', { group: 'router' }),
    over: '901',
    under: '899',
    minutes: 6,
    fires: { ...page, group: 'router' },
  },
  {
    alert: 'ConsumerWithoutAssignment',
    selector: of('consumer.partitions', { group: 'router' }),
    over: '0',
    under: '6',
    minutes: 6,
    fires: { ...page, group: 'router' },
  },
  {
    alert: 'PartitionUnreadable',
    selector: of('partitions.paused', { group: 'router', reason: 'unreadable-map' }),
    over: '1',
    under: '0',
    minutes: 1,
    fires: { ...page, group: 'router' },
  },
  {
    alert: 'CompletionMapFull',
    selector: of('partitions.paused', { group: 'router', reason: 'map' }),
    over: '2',
    under: '0',
    minutes: 11,
    fires: { ...ticket, group: 'router' },
  },
  {
    alert: 'KeysHeld',
    selector: of('keys.held.oldest.age', { group: 'connector-http' }),
    over: '3601',
    under: '3599',
    minutes: 6,
    fires: { ...ticket, group: 'connector-http' },
  },
  {
    alert: 'DeadKeyHeld',
    selector: of('keys.dead.oldest.age', { group: 'connector-http' }),
    over: '14401',
    under: '14399',
    minutes: 6,
    fires: { ...ticket, group: 'connector-http' },
  },
  {
    alert: 'DeadLettersOpen',
    selector: of('dead.letters.open', { topic: deadTopic }),
    over: '1',
    under: '0',
    minutes: 6,
    fires: { ...ticket, topic: deadTopic },
  },
  {
    alert: 'DeadLetterOld',
    selector: of('dead.letters.oldest.age', { topic: deadTopic }),
    over: '604801',
    under: '604799',
    minutes: 1,
    fires: { ...page, topic: deadTopic },
  },
  {
    alert: 'ConnectionSuspended',
    selector: of('connections.suspended', { destination: 'slack' }),
    over: '1',
    under: '0',
    minutes: 2,
    fires: { ...page, destination: 'slack' },
  },
  {
    alert: 'BudgetUsedUp',
    selector: of('gates.closed', { group: 'connector-slack', reason: 'budget' }),
    over: '1',
    under: '0',
    minutes: 61,
    fires: { ...ticket, group: 'connector-slack' },
  },
  { alert: 'ProofFailing', selector: of('proof.closes', {}), over: '0', under: '1', minutes: 11, fires: page },
  { alert: 'ProofStale', selector: of('proof.age', {}), over: '3601', under: '3599', minutes: 1, fires: ticket },
  {
    alert: 'CheckpointStale',
    selector: of('ledger.checkpoint.age', { instance: 'a' }),
    over: '601',
    under: '599',
    minutes: 2,
    fires: { ...page, instance: 'a' },
  },
  {
    alert: 'LedgerTreeRefused',
    selector: of('ledger.trees.refused', {}),
    over: '1',
    under: '0',
    minutes: 1,
    fires: page,
  },
  {
    alert: 'LedgerWriterBehind',
    selector: of('unacknowledged.oldest.age', { group: 'audit-logger' }),
    over: '121',
    under: '119',
    minutes: 6,
    fires: page,
  },
  {
    alert: 'ServiceDown',
    selector: 'up{job="my-connector-slack", instance="a"}',
    over: '0',
    under: '1',
    minutes: 6,
    fires: { ...page, job: 'my-connector-slack', instance: 'a' },
  },
  {
    alert: 'EventLoopBlocked',
    selector: of('nodejs.eventloop.delay.p99', { job: 'router', instance: 'a' }),
    over: '1.1',
    under: '0.9',
    minutes: 11,
    fires: { ...ticket, job: 'router', instance: 'a' },
  },
];

const atLimits: readonly AlertCase[] = limits.flatMap(({ alert, selector, over, under, minutes, fires }) => [
  { alert, name: 'above its limit', series: [[selector, `${over}x90`]], atMinute: minutes, fires: [fires] },
  { alert, name: 'below it', series: [[selector, `${under}x90`]], atMinute: minutes, fires: [] },
]);

const planned = (destination: string) => of('deliveries.planned', { destination });
const inTime = (destination: string, le = '60', outcome = 'delivered') =>
  buckets('delivery.duration', { destination: `="${destination}"`, outcome: `="${outcome}"`, le: `="${le}"` });

const burnLabels = (labels: Readonly<Record<string, string>>) =>
  ['1h', '6h', '1d', '3d'].map((window) => ({ ...labels, window, ...(window.endsWith('h') ? page : ticket) }));

const burning: readonly AlertCase[] = [
  {
    alert: 'DeliveryErrorBudgetBurn',
    name: 'a fifth of the deliveries does not come through, at one of two destinations',
    series: [
      [planned('http'), '0+100x4500'],
      [inTime('http'), '0+80x4500'],
      [planned('slack'), '0+100x4500'],
      [inTime('slack'), '0+100x4500'],
    ],
    atMinute: 4_400,
    fires: burnLabels({ destination: 'http' }),
  },
  {
    alert: 'DeliveryErrorBudgetBurn',
    name: 'nothing is delivered for a quarter of an hour, after two days of peace, as Prometheus 3 writes it',
    series: [
      [planned('http'), '0+100x3000'],
      [inTime('http', '60.0'), '0+100x2880 288000x60'],
      [attempts('http', 'delivered'), '0+100x2880 288000x60'],
      [attempts('http', 'unavailable'), '0x2880 0+1x60'],
    ],
    atMinute: 2_895,
    fires: [{ ...page, destination: 'http', window: '1h' }],
  },
  {
    alert: 'DeliveryErrorBudgetBurn',
    name: 'it is over: the hour still burns, the five minutes do not',
    series: [
      [planned('http'), '0+100x80'],
      [inTime('http'), '0+80x60 4800+100x20'],
    ],
    atMinute: 70,
    fires: [
      { ...page, destination: 'http', window: '6h' },
      { ...ticket, destination: 'http', window: '1d' },
      { ...ticket, destination: 'http', window: '3d' },
    ],
  },
  {
    alert: 'DeliveryErrorBudgetBurn',
    name: 'at night, one of three deliveries does not come through: nobody is woken',
    series: [
      [planned('http'), '0x9 1x9 2x9 3x60'],
      [inTime('http'), '0x9 1x9 2x80'],
    ],
    atMinute: 35,
    fires: [],
  },
  {
    alert: 'DeliveryErrorBudgetBurn',
    name: 'just below the floor, and above it, at two destinations that take nothing for a quarter of an hour',
    series: [
      [planned('http'), '0x9 0+0.6x15 9x60'],
      [inTime('http'), '0x90'],
      [planned('slack'), '0x9 0+0.8x15 12x60'],
      [inTime('slack'), '0x90'],
    ],
    atMinute: 26,
    fires: burnLabels({ destination: 'slack' }),
  },
  {
    alert: 'DeliveryErrorBudgetBurn',
    name: 'a destination that has never taken anything',
    series: [[planned('http'), '0+20x60']],
    atMinute: 40,
    fires: burnLabels({ destination: 'http' }),
  },
  {
    alert: 'DeliveryErrorBudgetBurn',
    name: 'a burst after silence that is delivered within its minute',
    series: [
      [planned('http'), '0x9 1000x20'],
      [inTime('http'), '0x10 1000x20'],
    ],
    atMinute: 10,
    fires: [],
  },
  {
    alert: 'DeliveryErrorBudgetBurn',
    name: 'failed attempts are no failed deliveries, when the next attempt comes in time',
    series: [
      [planned('http'), '0+100x100'],
      [inTime('http'), '0+100x100'],
      [attempts('http', 'delivered'), '0+100x100'],
      [attempts('http', 'unavailable'), '0+50x100'],
    ],
    atMinute: 90,
    fires: [],
  },
  {
    alert: 'AcceptanceErrorBudgetBurn',
    name: 'five of a hundred requests end in 503',
    series: [
      [requests('gusto', '200'), '0+95x400'],
      [requests('gusto', '503'), '0+5x400'],
    ],
    atMinute: 390,
    fires: burnLabels({}),
  },
  {
    alert: 'AcceptanceErrorBudgetBurn',
    name: 'at night, one of three requests ends in 503: nobody is woken',
    series: [
      [requests('gusto', '200'), '0x9 1x9 2x60'],
      [requests('gusto', '503'), '0x9 1x60'],
    ],
    atMinute: 13,
    fires: [],
  },
  {
    alert: 'AcceptanceErrorBudgetBurn',
    name: 'a dozen of a dozen end in 503',
    series: [[requests('gusto', '503'), '0x9 0+3x4 12x60']],
    atMinute: 17,
    fires: burnLabels({}),
  },
  {
    alert: 'AcceptanceErrorBudgetBurn',
    name: 'what the sender must mend does not count',
    series: [
      [requests('gusto', '200'), '0+50x100'],
      [requests('gusto', '401'), '0+50x100'],
    ],
    atMinute: 90,
    fires: [],
  },
  {
    alert: 'AcceptanceErrorBudgetBurn',
    name: 'nobody asks anything',
    series: [[requests('gusto', '200'), '7x100']],
    atMinute: 90,
    fires: [],
  },
];

const edge: readonly AlertCase[] = [
  {
    alert: 'IngressServerErrors',
    name: 'a source has one 503 a minute',
    series: [[requests('gusto', '503'), '0+1x20']],
    atMinute: 12,
    fires: [{ ...ticket, source: 'gusto' }],
  },
  {
    alert: 'IngressServerErrors',
    name: 'one that is over',
    series: [[requests('gusto', '503'), '0 1x30']],
    atMinute: 12,
    fires: [],
  },
  {
    alert: 'SignatureFailureSurge',
    name: 'a tenth of the requests is not signed',
    series: [
      [requests('gusto', '200'), '0+270x20'],
      [requests('gusto', '401'), '0+30x20'],
      [refused('gusto', 'signature-wrong'), '0+30x20'],
    ],
    atMinute: 12,
    fires: [{ ...ticket, source: 'gusto' }],
  },
  {
    alert: 'SignatureFailureSurge',
    name: 'few among many, or refused for something else',
    series: [
      [requests('gusto', '200'), '0+3000x20'],
      [refused('gusto', 'signature-wrong'), '0+30x20'],
      [requests('github', '400'), '0+300x20'],
      [refused('github', 'body-unreadable'), '0+300x20'],
    ],
    atMinute: 12,
    fires: [],
  },
];

const consumers: readonly AlertCase[] = [
  {
    alert: 'ConsumerStuck',
    name: 'records wait and none is settled',
    series: [
      [of('unacknowledged.oldest.age', { group: 'router' }), '0+60x40'],
      [of('records.settled', { group: 'router', topic: 't', settlement: 'commit' }), '500x40'],
      [of('gates.closed', { group: 'router', reason: 'busy' }), '1x40'],
    ],
    atMinute: 20,
    fires: [{ ...page, group: 'router' }],
  },
  {
    alert: 'ConsumerStuck',
    name: 'a closed gate explains it, or it settles others',
    series: [
      [of('unacknowledged.oldest.age', { group: 'connector-http' }), '0+60x40'],
      [of('records.settled', { group: 'connector-http', topic: 't', settlement: 'commit' }), '500x40'],
      [of('gates.closed', { group: 'connector-http', reason: 'breaker' }), '1x40'],
      [of('unacknowledged.oldest.age', { group: 'router' }), '0+60x40'],
      [of('records.settled', { group: 'router', topic: 't', settlement: 'commit' }), '0+5x40'],
    ],
    atMinute: 20,
    fires: [],
  },
  ...(['PauseWithoutReason', 'RequestBeforeRetryAfter'] as const).flatMap((alert): AlertCase[] => {
    const labels = { group: 'router', ...(alert === 'PauseWithoutReason' && { reason: 'none' }) };
    const selector = of(alert === 'PauseWithoutReason' ? 'pauses.ended' : 'attempts.early', labels);
    const severity = alert === 'PauseWithoutReason' ? ticket : page;
    return [
      {
        alert,
        name: 'one within the hour',
        series: [[selector, '0x5 1x20']],
        atMinute: 10,
        fires: [{ ...severity, group: 'router' }],
      },
      { alert, name: 'one long ago', series: [[selector, '0x5 1x100']], atMinute: 90, fires: [] },
    ];
  }),
];

const left = of('connection.budget.left', { destination: 'slack', connection: 'out' });
const reset = of('connection.budget.reset', { destination: 'slack', connection: 'out' });
const quota: readonly AlertCase[] = [
  {
    alert: 'QuotaForecast',
    name: 'ten a minute are used, fifty are left, and the new budget comes in ten minutes',
    series: [
      [left, '100-10x5'],
      [reset, '900-60x5'],
    ],
    atMinute: 5,
    fires: [{ ...ticket, destination: 'slack', connection: 'out' }],
  },
  {
    alert: 'QuotaForecast',
    name: 'it will last',
    series: [
      [left, '1000-10x5'],
      [reset, '900-60x5'],
    ],
    atMinute: 5,
    fires: [],
  },
];

const used = of('v8js.memory.heap.used', { job: 'router', instance: 'a' });
const most = of('v8js.memory.heap.limit', { job: 'router', instance: 'a' });
const heap: readonly AlertCase[] = [
  {
    alert: 'HeapNearlyFull',
    name: 'at 95 %',
    series: [
      [used, '95x20'],
      [most, '100x20'],
    ],
    atMinute: 11,
    fires: [{ ...ticket, job: 'router', instance: 'a' }],
  },
  {
    alert: 'HeapNearlyFull',
    name: 'at 80 %',
    series: [
      [used, '80x20'],
      [most, '100x20'],
    ],
    atMinute: 11,
    fires: [],
  },
];

export const alertCases: readonly AlertCase[] = [...atLimits, ...burning, ...edge, ...consumers, ...quota, ...heap];
