/** Events handled at the same time. */
export const CONCURRENCY = Symbol('concurrency');
