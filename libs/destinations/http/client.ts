import { type HttpClient, outcomeFromFailure, outcomeFromStatus, type SendContext } from '@tributary/connector-kit';
import type { DeliveryOutcome } from '@tributary/domain';
import type { WebhookMessage } from './mapping.js';
import { signatureHeader } from './signing.js';

export async function sendWebhook(
  http: HttpClient,
  message: WebhookMessage,
  { settings, secrets, deliveryId, nowMs, signal }: SendContext & { readonly settings: { readonly url: string } },
): Promise<DeliveryOutcome> {
  const id = `msg_${deliveryId}`;
  const timestamp = Math.floor(nowMs / 1000);
  const body = JSON.stringify(message);
  const signature = signatureHeader({ id, timestamp, body }, secrets.signing ?? []);
  if (!signature)
    return { kind: 'unauthorized', code: 'SIGNING_KEY', reason: 'no usable signing key: check secrets.signing' };

  const result = await http.send({
    method: 'POST',
    url: settings.url,
    headers: {
      'content-type': 'application/json',
      'webhook-id': id,
      'webhook-timestamp': String(timestamp),
      'webhook-signature': signature,
    },
    body,
    signal,
  });
  if (result.kind !== 'reply') return outcomeFromFailure(result);
  if (result.status === 410)
    return { kind: 'disabled', code: '410', reason: 'the endpoint answered 410: it wants no more events' };
  const outcome = outcomeFromStatus(result, nowMs);
  return result.status === 502 || result.status === 504 ? throttledWhenAsked(outcome) : outcome;
}

// The specification has gateways ask for patience too, but only a stated time is a request to wait.
function throttledWhenAsked(outcome: DeliveryOutcome): DeliveryOutcome {
  if (outcome.kind !== 'unavailable' || outcome.retryAfterMs === undefined) return outcome;
  const { code, retryAfterMs } = outcome;
  return { kind: 'throttled', retryAfterMs, ...(code !== undefined && { code }) };
}
