/** What a connection may say about itself; the rest is as its definition says. */
export interface ConnectionLimitsSpec {
  /** Attempts at the same time. */
  readonly maxInFlight?: number | undefined;
  /** Calls a second, on average, of each scope that the vendor limits by. */
  readonly perSecond?: number | undefined;
  /** Calls at once after a pause; absent: what a second brings. */
  readonly burst?: number | undefined;
}

/** From a control row, which was validated when it was applied. Undefined: it says nothing. */
export function parseConnectionLimits(text: string | null): ConnectionLimitsSpec | undefined | 'unreadable' {
  if (text === null) return undefined;
  try {
    const value: unknown = JSON.parse(text);
    return isLimits(value) ? value : 'unreadable';
  } catch {
    return 'unreadable'; // It concerns its connection alone, which says so.
  }
}

function isLimits(value: unknown): value is ConnectionLimitsSpec {
  if (typeof value !== 'object' || value === null || Array.isArray(value)) return false;
  return Object.values(value).every((one) => typeof one === 'number' && Number.isFinite(one) && one > 0);
}
