import type { CanonicalEvent } from '@tributary/domain';
import { z } from 'zod';

/** Body of a Standard Webhook, and beside its three members what the event is and about whom. */
export const webhookMessage = z.strictObject({
  type: z.string().min(1).max(256),
  /** When it happened; absent when the source did not say. */
  timestamp: z.iso.datetime({ offset: true }).optional(),
  id: z.string().min(1),
  source: z.string().min(1),
  /** Events of one subject come in order; absent: no order is promised. */
  subject: z.string().min(1).optional(),
  data: z.record(z.string(), z.unknown()),
});
export type WebhookMessage = z.infer<typeof webhookMessage>;

export function toWebhook({ id, source, subject, type, time, data }: CanonicalEvent): WebhookMessage {
  return {
    type,
    ...(time !== undefined && { timestamp: time }),
    id,
    source,
    ...(subject !== undefined && { subject }),
    data: { ...data },
  };
}
