import type { Failure } from '@tributary/domain';

export const aFailure: Failure = { errorClass: 'unavailable', reason: 'the destination was away', stage: 'send' };
