/** Nobody means more than that; what says so is as good as a year. */
const longestMs = 365 * 24 * 3_600_000;

/**
 * Milliseconds to wait by a `Retry-After` header: whole or decimal seconds, or an HTTP date. Rounded up, never earlier.
 * Undefined when the header is absent or says nothing readable.
 */
export function retryAfterMs(header: string | undefined, nowMs: number): number | undefined {
  const text = header?.trim();
  if (!text) return undefined;
  if (/^\d+(\.\d+)?$/.test(text)) return Math.min(Math.ceil(Number(text) * 1000), longestMs);
  const at = Date.parse(text);
  if (Number.isNaN(at) || !/[a-z]/i.test(text)) return undefined;
  return Math.min(Math.max(0, at - nowMs), longestMs);
}
