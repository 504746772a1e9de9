import { Webhook, WebhookVerificationError } from 'standardwebhooks';
import type { Answer } from './answering.js';
import type { EffectStore } from './effect-store.js';
import type { Rules } from './settings.js';

export interface ReceivedWebhook {
  readonly id: string;
  readonly timestamp: string;
  readonly signature: string;
  readonly body: Buffer;
}

/** A customer's endpoint: verifies with the published package, and takes each webhook-id once. */
export class HttpReceiver {
  constructor(
    private readonly store: EffectStore,
    private readonly rules: Rules,
    private readonly nowMs: () => number = Date.now,
  ) {}

  receive(target: string, webhook: ReceivedWebhook): Answer {
    const event = this.verified(webhook);
    if (!event) {
      this.store.log(target, { atMs: this.nowMs(), status: 401, key: webhook.id, reason: 'signature' });
      return { status: 401, body: { error: 'no secret of this receiver gives the signature' } };
    }
    const subject = typeof event.subject === 'string' ? event.subject : '';
    const summary = `${String(event.type)} ${String(event.id ?? '')}`.trim();
    const isNew = this.store.apply(target, { id: webhook.id, subject, atMs: this.nowMs(), summary });
    this.store.log(target, { atMs: this.nowMs(), status: 202, key: webhook.id, ...(!isNew && { reason: 'repeat' }) });
    return { status: 202 };
  }

  private verified({ id, timestamp, signature, body }: ReceivedWebhook): Readonly<Record<string, unknown>> | undefined {
    const headers = { 'webhook-id': id, 'webhook-timestamp': timestamp, 'webhook-signature': signature };
    for (const secret of this.rules.signingSecrets) {
      try {
        return new Webhook(secret).verify(body, headers) as Readonly<Record<string, unknown>>;
      } catch (error) {
        if (!(error instanceof WebhookVerificationError) && !(error instanceof SyntaxError)) throw error;
      }
    }
    return undefined;
  }
}
