import type { Answer } from './answering.js';
import type { EffectStore } from './effect-store.js';
import type { Rules } from './settings.js';

const revokedToken = 'xoxb-revoked';
const knownChannel = /^C[A-Z0-9]{2,}$/;
const longestText = 40_000;

/** `chat.postMessage` as Slack has it: refusals come inside a 200, too many messages as a 429. */
export class SlackImitation {
  private readonly sentInSecond = new Map<string, { second: number; count: number }>();
  private posted = 0;

  constructor(
    private readonly store: EffectStore,
    private readonly rules: Rules,
    private readonly nowMs: () => number = Date.now,
  ) {}

  postMessage(authorization: string | undefined, contentType: string | undefined, body: Buffer): Answer {
    const message = readMessage(body);
    const channel = channelOf(message);
    const error = this.refusal(authorization, contentType, message);
    if (error) return this.answer(channel, { status: 200, body: { ok: false, error } }, error);
    if (!this.hasRoom(channel)) {
      const body = { ok: false, error: 'ratelimited' };
      return this.answer(channel, { status: 429, headers: { 'retry-after': '1' }, body }, 'ratelimited');
    }
    const ts = this.nextTimestamp();
    this.store.apply('slack', { id: ts, subject: channel, atMs: this.nowMs(), summary: String(message?.text) });
    return this.answer(channel, { status: 200, body: { ok: true, channel, ts, message: { text: message?.text, ts } } });
  }

  reset(): void {
    this.sentInSecond.clear();
  }

  private refusal(
    authorization: string | undefined,
    contentType: string | undefined,
    message: Readonly<Record<string, unknown>> | undefined,
  ): string | undefined {
    const token = /^Bearer (.+)$/.exec(authorization ?? '')?.[1];
    if (!token) return 'not_authed';
    if (token === revokedToken) return 'token_revoked';
    if (!this.rules.slackTokens.has(token)) return 'invalid_auth';
    if (!/^application\/json\b/i.test(contentType ?? '')) return 'invalid_post_type';
    if (!message) return 'invalid_json';
    const { channel, text, blocks } = message;
    if (typeof channel !== 'string' || !knownChannel.test(channel)) return 'channel_not_found';
    if (channel.includes('ARCHIVED')) return 'is_archived';
    if ((typeof text !== 'string' || text === '') && !Array.isArray(blocks)) return 'no_text';
    return typeof text === 'string' && text.length > longestText ? 'msg_too_long' : undefined;
  }

  private hasRoom(channel: string): boolean {
    const second = Math.floor(this.nowMs() / 1000);
    const sent = this.sentInSecond.get(channel);
    const count = sent?.second === second ? sent.count : 0;
    if (this.rules.slackPerSecond > 0 && count >= this.rules.slackPerSecond) return false;
    this.sentInSecond.set(channel, { second, count: count + 1 });
    return true;
  }

  // Slack's time stamps identify messages, so no two are the same.
  private nextTimestamp(): string {
    this.posted += 1;
    return `${Math.floor(this.nowMs() / 1000)}.${String(this.posted).padStart(6, '0')}`;
  }

  private answer(channel: string, answer: Answer, reason?: string): Answer {
    this.store.log('slack', { atMs: this.nowMs(), status: answer.status, key: channel, ...(reason && { reason }) });
    return answer;
  }
}

/** The channel that a message is for; empty when it names none. */
export const channelIn = (body: Buffer): string => channelOf(readMessage(body));

const channelOf = (message: ReturnType<typeof readMessage>): string =>
  typeof message?.channel === 'string' ? message.channel : '';

function readMessage(body: Buffer): Readonly<Record<string, unknown>> | undefined {
  try {
    const value: unknown = JSON.parse(body.toString('utf8'));
    return typeof value === 'object' && value !== null ? (value as Record<string, unknown>) : undefined;
  } catch {
    return undefined; // What was sent is the sender's to mend; Slack says invalid_json.
  }
}
