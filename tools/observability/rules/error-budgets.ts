import { buckets, metric, over, rate } from '../promql.js';
import {
  type AlertRule,
  days,
  hours,
  minutes,
  type RecordingRule,
  type RuleGroup,
  type RuleTimes,
  type Severity,
  textOf,
} from './rule.js';

/** Over 30 days. Tell people before you change them: they are promises. */
export const objectives = {
  /** Deliveries that arrive within a minute of the acceptance of their event. */
  delivery: 0.99,
  /** Requests to ingress that are not answered 5xx. */
  acceptance: 0.999,
};

interface Burn {
  readonly factor: number;
  readonly short: { readonly name: string; readonly seconds: number };
  readonly long: { readonly name: string; readonly seconds: number };
  readonly severity: Severity;
  /** Share of the budget of 30 days that is gone when it fires. */
  readonly spent: string;
}

const windows = {
  '5m': minutes(5),
  '30m': minutes(30),
  '1h': hours(1),
  '2h': hours(2),
  '6h': hours(6),
  '1d': days(1),
  '3d': days(3),
} as const;
type Window = keyof typeof windows;

const named = (name: Window) => ({ name, seconds: windows[name] });

/** Both windows must burn: the long one says that it matters, the short one that it still goes on. */
const burns: readonly Burn[] = [
  { factor: 14.4, short: named('5m'), long: named('1h'), severity: 'page', spent: '2 %' },
  { factor: 6, short: named('30m'), long: named('6h'), severity: 'page', spent: '5 %' },
  { factor: 3, short: named('2h'), long: named('1d'), severity: 'ticket', spent: '10 %' },
  { factor: 1, short: named('6h'), long: named('3d'), severity: 'ticket', spent: '10 %' },
];

/**
 * So many must have gone wrong within the long window, whatever share that is. At night one of three is a third, and nobody is woken for one: it is
 * seen by the alerts on what waits, stands still or died, and on any 5xx. A floor under what went wrong, not under the traffic: an outage of a
 * destination that gets twenty events an hour is one.
 */
export const leastWrong = 10;

interface Objective {
  readonly alert: string;
  /** What it is about: `destination:deliveries_late`. */
  readonly record: string;
  readonly by: readonly string[];
  /** Share that went wrong within a range. */
  readonly ratio: (range: string, times: RuleTimes) => string;
  /** How many went wrong within a range. */
  readonly wrong: (range: string, times: RuleTimes) => string;
  readonly objective: number;
  readonly summary: string;
  readonly description: string;
}

type PerRange = 'rate' | 'increase';

/**
 * Planned against delivered in time, not attempts against failures: while a breaker is open there are hardly any attempts, and an
 * outage of an hour would be a few failed probes among thousands of successes.
 */
const inTime = { outcome: '="delivered"', le: '=~"60([.]0)?"' };
/** What was planned less than a minute ago may still come in time: a burst is not late because it has just begun. */
const planned = (how: PerRange, range: string, times: RuleTimes) => {
  const minuteAgo = textOf(Math.max(shortestLag, times.seconds(minutes(1))));
  return over('sum', ['destination'], `${how}(${metric('deliveries.planned')}[${range}] offset ${minuteAgo})`);
};
/** A destination that has never taken anything has no such series: 0 then, not unknown. */
const delivered = (how: PerRange, range: string, times: RuleTimes) =>
  `(${over('sum', ['destination'], `${how}(${buckets('delivery.duration', inTime)}[${range}])`)} or 0 * ${planned(how, range, times)})`;
/** In seconds. The bucket of a minute cannot be shortened for a trial, and neither can what a delivery takes. */
const shortestLag = 5;
// Being asked to wait is no failure, and no success either.
const attempts = (outcome: string, range: string) =>
  over('sum', ['destination'], rate(metric('delivery.attempts', { outcome }), range));
const requests = (how: PerRange, matchers: Readonly<Record<string, string>>, range: string) =>
  over('sum', [], `${how}(${metric('ingress.requests', matchers)}[${range}])`);
/** Nothing may be exported with 5xx yet: then it is 0, not unknown. */
const failed = (how: PerRange, range: string) => `(${requests(how, { status: '=~"5.."' }, range)} or vector(0))`;

const kept: readonly Objective[] = [
  {
    alert: 'DeliveryErrorBudgetBurn',
    record: 'destination:deliveries_late',
    by: ['destination'],
    ratio: (range, times) => `clamp_min(1 - ${delivered('rate', range, times)} / ${planned('rate', range, times)}, 0)`,
    wrong: (range, times) =>
      `clamp_min(${planned('increase', range, times)} - ${delivered('increase', range, times)}, 0)`,
    objective: objectives.delivery,
    summary:
      '{{ $value | humanizePercentage }} of the deliveries to {{ $labels.destination }} do not arrive within a minute',
    description:
      'They are tried again and wait in order; nothing is lost. But what waits grows, and after 72 h of trying it is a dead letter.',
  },
  {
    alert: 'AcceptanceErrorBudgetBurn',
    record: 'ingress:request_errors',
    by: [],
    ratio: (range) => `${failed('rate', range)} / ${requests('rate', {}, range)}`,
    wrong: (range) => failed('increase', range),
    objective: objectives.acceptance,
    summary: 'ingress answers {{ $value | humanizePercentage }} of requests with 5xx',
    description:
      'Senders try again for hours or days, each by its own schedule; some give up after minutes, and some disable an endpoint that fails.',
  },
];

export function errorBudgetGroups(times: RuleTimes): RuleGroup[] {
  return [
    { name: 'tributary-error-ratios', rules: [attemptErrors(times), ...kept.flatMap((one) => recordings(one, times))] },
    { name: 'tributary-error-budgets', rules: kept.flatMap(alerts) },
  ];
}

/** For people to look at: what the destination answers. */
const attemptErrors = (times: RuleTimes): RecordingRule => {
  const range = times.range(windows['5m']);
  return {
    record: 'destination:delivery_attempt_errors:ratio_rate5m',
    expr: `${attempts('!~"delivered|throttled"', range)} / ${attempts('!="throttled"', range)}`,
  };
};

const recordings = ({ record, ratio, wrong }: Objective, times: RuleTimes): RecordingRule[] => [
  ...Object.entries(windows).map(([name, seconds]) => ({
    record: `${record}:ratio_rate${name}`,
    expr: ratio(times.range(seconds), times),
  })),
  ...burns.map(({ long: { name, seconds } }) => ({
    record: `${record}:increase${name}`,
    expr: wrong(times.range(seconds), times),
  })),
];

const alerts = ({ alert, record, by, objective, summary, description }: Objective): AlertRule[] =>
  burns.map(({ factor, short, long, severity, spent }) => {
    const limit = `${factor} * ${(1 - objective).toFixed(4).replace(/0+$/, '')}`;
    const both = by.length > 0 ? `and on (${by.join(', ')})` : 'and';
    return {
      alert,
      expr: `${record}:ratio_rate${long.name} > ${limit} ${both} ${record}:ratio_rate${short.name} > ${limit} ${both} ${record}:increase${long.name} >= ${leastWrong}`,
      severity,
      summary,
      description: `${description} At this rate over ${long.name}, ${spent} of the 30-day error budget (objective ${objective * 100} %) is gone.`,
      labels: { window: long.name },
    };
  });
