import { defineDestination, operation, secret, text, url } from '@tributary/connector-kit';
import { domains } from '@tributary/contracts';
import { postMessage } from './client.js';
import { slackMessage, toSlackMessage } from './mapping.js';

const slackSettings = {
  channel: text('Channel that receives the messages.', {
    example: 'C024BE91L',
    pattern: /^[#@]?[\p{L}\p{N}._-]{1,80}$/u,
  }),
  apiBase: url('Base address of the Web API.', { fallback: 'https://slack.com/api' }),
};

export const slack = defineDestination({
  slug: 'slack',
  title: 'Slack',
  summary: 'Posts a message to a channel.',
  settings: slackSettings,
  secrets: {
    botToken: secret('Bot token. Starts with xoxb-.', {
      check: (token) => (/^xox[a-z]-[\w-]+$/.test(token) ? undefined : 'must start with xoxb-'),
    }),
  },
  // Slack has no idempotency key: a repeated post is a second message, so what may have been posted is not repeated.
  promises: { ordering: 'per-key', idempotency: 'none' },
  limits: {
    maxInFlight: 20,
    timeoutMs: 10_000,
    // One message a second for each channel, with short bursts.
    scope: { resource: 'channel', namedBy: 'channel' },
    rate: { perSecond: 1, burst: 3 },
  },
  unknownOutcome: 'drop',
  operations: {
    postMessage: operation({
      summary: 'One message per event.',
      accepts: domains.map((domain) => `${domain}.*.*`),
      message: slackMessage,
      translate: toSlackMessage,
      send: postMessage,
    }),
  },
});
