import type { FiringAlert, Prometheus } from './prometheus.js';

/** What must fire: the name, and labels that it must have. */
export interface Expected {
  readonly alert: string;
  readonly labels: Readonly<Record<string, string>>;
}

export interface Fate {
  readonly expected: Expected;
  /** Seconds until it fired, and from the repair until it had ended; undefined: it did not in time. */
  readonly firedAfter: number | undefined;
  resolvedAfter: number | undefined;
}

export const nameOf = ({ alert, labels }: Expected): string => `${alert} ${Object.values(labels).join(' ')}`.trim();

const isOf = ({ alert, labels }: Expected, firing: FiringAlert): boolean =>
  firing.labels.alertname === alert && Object.entries(labels).every(([name, value]) => firing.labels[name] === value);

const askAgainMs = 500;

/** Waits until all that are expected fire, or the time is over. */
export async function untilFiring(prometheus: Prometheus, expected: readonly Expected[], withinMs: number) {
  const startedAt = performance.now();
  const fired = new Map<Expected, { readonly after: number; readonly as: FiringAlert }>();
  while (fired.size < expected.length && performance.now() - startedAt < withinMs) {
    for (const firing of await prometheus.firing()) {
      for (const one of expected)
        if (!fired.has(one) && isOf(one, firing)) fired.set(one, { after: secondsSince(startedAt), as: firing });
    }
    await new Promise((resolve) => setTimeout(resolve, askAgainMs));
  }
  return fired;
}

/** Seconds until each no longer fires; those that still do are missing. */
export async function untilResolved(prometheus: Prometheus, expected: readonly Expected[], withinMs: number) {
  const startedAt = performance.now();
  const resolved = new Map<Expected, number>();
  while (resolved.size < expected.length && performance.now() - startedAt < withinMs) {
    const firing = await prometheus.firing();
    for (const one of expected) {
      const isFiring = firing.some((alert) => isOf(one, alert));
      if (isFiring) resolved.delete(one);
      else if (!resolved.has(one)) resolved.set(one, secondsSince(startedAt));
    }
    await new Promise((resolve) => setTimeout(resolve, askAgainMs));
  }
  return resolved;
}

const secondsSince = (startedAt: number): number => Math.round((performance.now() - startedAt) / 100) / 10;
