import type { Failure } from '@tributary/domain';

/** The record itself is wrong; `stage` is the step that found it. */
export const invalidRecord = (stage: string, code: string, reason: string): Failure => ({
  errorClass: 'invalid',
  code,
  reason,
  stage,
});

/** Broken infrastructure is thrown on, so that the record waits; what is wrong with the record itself is returned. */
export function failureUnlessRetryable(error: unknown, stage: string): Failure {
  const { retryable, code } = error as { retryable?: boolean; code?: string };
  if (retryable !== false) throw error;
  return invalidRecord(stage, code ?? 'invalid', (error as Error).message);
}
