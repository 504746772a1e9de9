import { integer, list, text } from '@tributary/config';

export const sandboxSettings = {
  host: text('HOST', 'Address to listen on. Loopback: the sandbox trusts whoever reaches it.', {
    fallback: '127.0.0.1',
  }),
  port: integer('PORT', 'Port to listen on; 0 picks a free one, printed in the first log line.', 8080),
  logLevel: text('LOG_LEVEL', 'trace, debug, info, warn, error.', { fallback: 'info' }),
  signingSecrets: list(
    'SANDBOX_SIGNING_SECRETS',
    'Standard Webhooks secrets (whsec_) that every HTTP receiver verifies with, separated by commas.',
    { fallback: '', secret: true },
  ),
  slackTokens: list('SANDBOX_SLACK_TOKENS', 'Bot tokens that Slack takes, separated by commas.', {
    fallback: 'xoxb-sandbox-token',
    secret: true,
  }),
  slackPerSecond: integer('SANDBOX_SLACK_RATE', 'Messages a second that one Slack channel takes; 0 for no limit.', 1),
} as const;

/** How strict the sandbox is; changed while it runs. */
export class Rules {
  signingSecrets: readonly string[];
  readonly slackTokens: ReadonlySet<string>;
  slackPerSecond: number;

  constructor(initial: { signingSecrets: readonly string[]; slackTokens: readonly string[]; slackPerSecond: number }) {
    this.signingSecrets = initial.signingSecrets;
    this.slackTokens = new Set(initial.slackTokens);
    this.slackPerSecond = initial.slackPerSecond;
  }
}
