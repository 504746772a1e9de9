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

interface Objective {
  readonly alert: string;
  /** With the window's name appended. */
  readonly record: string;
  readonly by: readonly string[];
  readonly ratio: (range: string) => string;
  readonly objective: number;
  readonly summary: string;
  readonly description: string;
}

/**
 * Planned against delivered in time, not attempts against failures: while a breaker is open there are hardly any attempts, and an
 * outage of an hour would be a few failed probes among thousands of successes.
 */
const inTime = { outcome: '="delivered"', le: '=~"60([.]0)?"' };
const lateShare = (range: string) =>
  `clamp_min(1 - ${over('sum', ['destination'], rate(buckets('delivery.duration', inTime), range))} / ${over('sum', ['destination'], rate(metric('deliveries.planned'), range))}, 0)`;
// Being asked to wait is no failure, and no success either.
const attempts = (outcome: string, range: string) =>
  over('sum', ['destination'], rate(metric('delivery.attempts', { outcome }), range));
const requests = (matchers: Readonly<Record<string, string>>, range: string) =>
  over('sum', [], rate(metric('ingress.requests', matchers), range));

const kept: readonly Objective[] = [
  {
    alert: 'DeliveryErrorBudgetBurn',
    record: 'destination:deliveries_late:ratio_rate',
    by: ['destination'],
    ratio: lateShare,
    objective: objectives.delivery,
    summary:
      '{{ $value | humanizePercentage }} of the deliveries to {{ $labels.destination }} do not arrive within a minute',
    description:
      'They are tried again and wait in order; nothing is lost. But what waits grows, and after 72 h of trying it is a dead letter.',
  },
  {
    alert: 'AcceptanceErrorBudgetBurn',
    record: 'ingress:request_errors:ratio_rate',
    by: [],
    // Nothing may be exported with 5xx yet: then it is 0, not unknown.
    ratio: (range) => `(${requests({ status: '=~"5.."' }, range)} or vector(0)) / ${requests({}, range)}`,
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

const recordings = ({ record, ratio }: Objective, times: RuleTimes): RecordingRule[] =>
  Object.entries(windows).map(([name, seconds]) => ({ record: `${record}${name}`, expr: ratio(times.range(seconds)) }));

const alerts = ({ alert, record, by, objective, summary, description }: Objective): AlertRule[] =>
  burns.map(({ factor, short, long, severity, spent }) => {
    const limit = `${factor} * ${(1 - objective).toFixed(4).replace(/0+$/, '')}`;
    const both = by.length > 0 ? `and on (${by.join(', ')})` : 'and';
    return {
      alert,
      expr: `${record}${long.name} > ${limit} ${both} ${record}${short.name} > ${limit}`,
      severity,
      summary,
      description: `${description} At this rate over ${long.name}, ${spent} of the 30-day error budget (objective ${objective * 100} %) is gone.`,
      labels: { window: long.name },
    };
  });
