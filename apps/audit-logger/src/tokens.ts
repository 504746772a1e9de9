/** Audit records in memory at the same time. */
export const CONCURRENCY = Symbol('concurrency');
