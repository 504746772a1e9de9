import type { CanonicalEvent } from '@tributary/domain';
import { z } from 'zod';

export const slackMessage = z.strictObject({
  channel: z.string().min(1).max(82),
  text: z.string().min(1).max(40_000),
  blocks: z.array(z.record(z.string(), z.unknown())).max(50).optional(),
});
export type SlackMessage = z.infer<typeof slackMessage>;

/** A line for any event; a subscription's mapping says it better. */
export function toSlackMessage(event: CanonicalEvent, { channel }: { readonly channel: string }): SlackMessage {
  const [, entity = 'event', verb = 'happened'] = event.type.split('.');
  const words = `${entity} ${verb}`.replaceAll('-', ' ');
  const name = nameOf(event.data) ?? event.subject;
  return { channel, text: name === undefined ? `*${words}*` : `*${words}*: ${escaped(name)}` };
}

const candidates = ['title', 'name', 'number', 'key', 'email', 'workEmail'] as const;

function nameOf(data: CanonicalEvent['data']): string | undefined {
  const person = [data.firstName, data.lastName].filter((part) => typeof part === 'string' && part !== '').join(' ');
  if (person !== '') return person;
  const found = candidates.map((field) => data[field]).find((value) => typeof value === 'string' && value !== '');
  return found as string | undefined;
}

// The three characters that Slack reads as markup: a name must not become a link or a mention of everybody.
const escaped = (text: string): string =>
  text.replaceAll('&', '&amp;').replaceAll('<', '&lt;').replaceAll('>', '&gt;').slice(0, 3000);
