export interface RecordingRule {
  readonly record: string;
  readonly expr: string;
}

/** `page`: somebody is woken. `ticket`: somebody looks on the next working day. */
export type Severity = 'page' | 'ticket';

export interface AlertRule {
  readonly alert: string;
  readonly expr: string;
  /** How long it must hold. */
  readonly forSeconds?: number;
  readonly severity: Severity;
  /** One line; labels as `{{ $labels.group }}`. */
  readonly summary: string;
  readonly description: string;
  readonly labels?: Readonly<Record<string, string>>;
}

export interface RuleGroup {
  readonly name: string;
  readonly rules: readonly (RecordingRule | AlertRule)[];
}

export const isAlert = (rule: RecordingRule | AlertRule): rule is AlertRule => 'alert' in rule;

/** File name of its runbook: DeadLetterOld is dead-letter-old. */
export const slugOf = (alert: string): string => alert.replace(/(?<=[a-z])(?=[A-Z])/g, '-').toLowerCase();

/**
 * Makes the times that rules name. Shortened, they are divided: an hour of an alert passes in minutes, for a trial against running
 * services. What is deployed is not.
 */
export class RuleTimes {
  constructor(private readonly dividedBy = 1) {}

  /** `5m` for a range; never under a second. */
  range(seconds: number): string {
    return textOf(Math.max(1, Math.round(seconds / this.dividedBy)));
  }

  /** Seconds to compare an age with. */
  seconds(seconds: number): number {
    return Math.max(1, Math.round(seconds / this.dividedBy));
  }
}

export const minutes = (count: number): number => count * 60;
export const hours = (count: number): number => count * 3_600;
export const days = (count: number): number => count * 86_400;

export function textOf(seconds: number): string {
  for (const [unit, size] of [
    ['d', 86_400],
    ['h', 3_600],
    ['m', 60],
  ] as const)
    if (seconds % size === 0) return `${seconds / size}${unit}`;
  return `${seconds}s`;
}
