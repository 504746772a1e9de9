/** What the destination did, as far as we know. Item failures of a batch are one outcome per delivery. */
export type DeliveryOutcome =
  | { readonly kind: 'delivered'; readonly receipt?: string }
  /** Too much for them now. Says nothing about the record. */
  | { readonly kind: 'throttled'; readonly retryAfterMs: number; readonly code?: string }
  /** Their trouble, may pass. The request was refused or never sent. */
  | { readonly kind: 'unavailable'; readonly reason: string; readonly code?: string; readonly retryAfterMs?: number }
  /** Refused for good. */
  | { readonly kind: 'rejected'; readonly reason: string; readonly code?: string }
  /** A person must act; the record waits. */
  | { readonly kind: 'unauthorized'; readonly reason: string; readonly code?: string }
  /** The receiver asked us to stop for good; a person must act; the record waits. */
  | { readonly kind: 'disabled'; readonly reason: string; readonly code?: string }
  /** The request was written and no answer came: it may or may not have had its effect. */
  | { readonly kind: 'unknown'; readonly reason: string; readonly code?: string };

/** Why a record ended in the dead-letter topic, or why an attempt failed. One closed list. */
export const errorClasses = [
  'unavailable',
  'rejected',
  'invalid',
  'throttled',
  'unauthorized',
  'expired',
  'unknown-outcome',
  'connection-removed',
] as const;
export type ErrorClass = (typeof errorClasses)[number];

export interface Failure {
  readonly errorClass: ErrorClass;
  /** HTTP status or a code of ours. */
  readonly code?: string;
  readonly reason: string;
  /** Which step failed: decode, translate, send. */
  readonly stage?: string;
}

/** What becomes of a record after an attempt. */
export type Settlement =
  /** Done: its offset may be committed. `outcome` is for the audit record and the metrics. */
  | { readonly to: 'commit' }
  /** Try again after the delay; an attempt is charged. The lane waits. */
  | { readonly to: 'retry'; readonly delayMs: number; readonly failure: Failure }
  /** Try again after the delay; no attempt is charged. `scope` tells which records share the wait. */
  | { readonly to: 'gate'; readonly closedForMs: number; readonly failure: Failure }
  /** Nothing of this connection moves until a person acts, or until a time (epoch milliseconds); no attempt is charged. */
  | { readonly to: 'suspend'; readonly failure: Failure; readonly untilMs?: number }
  | { readonly to: 'deadLetter'; readonly failure: Failure };
