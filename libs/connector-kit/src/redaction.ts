import type { DeliveryOutcome } from '@tributary/domain';
import type { Secrets } from './settings.js';

const longestReason = 500;
const placeholder = '[secret]';

/** Text that may be logged, audited and put into headers: one line, bounded, without any secret of the connection. */
export function redacted(text: string, secrets: Secrets): string {
  const values = Object.values(secrets).flat().flatMap(spellings);
  // Longest first: a secret that contains another must not leave its rest behind.
  const ordered = values.filter((value) => value.length >= 4).sort((a, b) => b.length - a.length);
  const clean = ordered.reduce((rest, value) => rest.replaceAll(value, placeholder), text);
  return clean
    .replace(/[\p{Cc}\p{Cs}]+/gu, ' ')
    .trim()
    .slice(0, longestReason);
}

// Other sides echo what they got, and not always in the same spelling.
const spellings = (secret: string): readonly string[] => [
  secret,
  encodeURIComponent(secret),
  Buffer.from(secret).toString('base64'),
  JSON.stringify(secret).slice(1, -1),
  secret.replace(/^wh(sec|sk|pk)_/, ''),
];

export function redactedOutcome(outcome: DeliveryOutcome, secrets: Secrets): DeliveryOutcome {
  if (outcome.kind === 'throttled') return outcome;
  if (outcome.kind === 'delivered') {
    return outcome.receipt === undefined ? outcome : { ...outcome, receipt: redacted(outcome.receipt, secrets) };
  }
  return { ...outcome, reason: redacted(outcome.reason, secrets) };
}
