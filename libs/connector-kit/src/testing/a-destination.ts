import { z } from 'zod';
import { type DestinationDefinition, defineDestination, type OperationDefinition, operation } from '../destination.js';
import type { SettingsShape } from '../settings.js';

/** A destination with one operation, `post`, that takes everything; a test says only what matters to it. */
export const aDestination = <const S extends SettingsShape = SettingsShape>(
  over: Partial<DestinationDefinition<S>> = {},
): DestinationDefinition<S> =>
  defineDestination<S>({
    slug: 'test',
    title: 'Test',
    summary: 'For tests.',
    settings: {} as S,
    secrets: {},
    promises: { ordering: 'per-key', idempotency: 'key' },
    limits: { maxInFlight: 1, timeoutMs: 1_000 },
    unknownOutcome: 'retry',
    operations: { post: aPostOperation() },
    ...over,
  });

export const aPostOperation = (over: Partial<Pick<OperationDefinition, 'limits' | 'send'>> = {}) =>
  operation({
    summary: 'One message.',
    accepts: ['people.employee.*'],
    message: z.object({}),
    translate: () => ({}),
    send: async () => ({ kind: 'delivered' }),
    ...over,
  });
