import { type HttpResult, httpReply } from '@tributary/connector-kit';
import { describe, expect, it } from 'vitest';
import { destinationContract, fixturesIn } from '../../connector-kit/src/contract/index.js';
import { postMessage } from './client.js';
import { slack } from './definition.js';

destinationContract(slack, {
  fixtures: fixturesIn(import.meta.dirname),
  settingsFor: (baseUrl) => ({ channel: 'C024BE91L', apiBase: `${baseUrl}/api` }),
  secrets: { botToken: ['xoxb-1234-a-very-secret-token'] },
  accepted: { status: 200, body: { ok: true, channel: 'C024BE91L', ts: '1763776800.000100' } },
  whenBodyIsLost: 'unknown',
});

describe('slack', () => {
  const posted: { url: string; bearer: string | undefined }[] = [];
  const outcomeOf = (result: HttpResult, apiBase = 'https://slack.com/api') =>
    postMessage(
      {
        send: () => Promise.reject(new Error('not used')),
        post: async (url, { bearer }) => {
          posted.push({ url, bearer });
          return result;
        },
      },
      { channel: 'C1', text: 'hi' },
      {
        settings: { channel: 'C1', apiBase },
        secrets: { botToken: ['xoxb-new', 'xoxb-old'] },
        deliveryId: 'd1',
        attempt: 1,
        nowMs: 0,
        signal: new AbortController().signal,
      },
    );
  const refusing = (error: string, headers = {}) =>
    outcomeOf(httpReply({ status: 200, headers, body: JSON.stringify({ ok: false, error }) }));

  it.each(['channel_not_found', 'not_in_channel', 'is_archived', 'msg_too_long', 'no_text', 'an_error_of_tomorrow'])(
    'rejects for good when the body says %s',
    async (error) => expect(await refusing(error)).toMatchObject({ kind: 'rejected', code: error }),
  );

  it.each(['invalid_auth', 'not_authed', 'token_revoked', 'account_inactive', 'missing_scope'])(
    'asks for a person when the body says %s',
    async (error) => expect(await refusing(error)).toMatchObject({ kind: 'unauthorized', code: error }),
  );

  it.each(['internal_error', 'fatal_error'])('tries again when the body says %s', async (error) =>
    expect(await refusing(error)).toMatchObject({ kind: 'unavailable', code: error }),
  );

  it.each(['ratelimited', 'rate_limited'])('waits when the body says %s', async (error) => {
    const outcome = await refusing(error, { 'Retry-After': '3' });
    expect(outcome).toMatchObject({ kind: 'throttled', retryAfterMs: 3000 });
  });

  it('keeps the time stamp of the message as receipt', async () => {
    const outcome = await outcomeOf(httpReply({ status: 200, body: '{"ok":true,"ts":"1.2"}' }));
    expect(outcome).toEqual({ kind: 'delivered', receipt: '1.2' });
  });

  it.each([
    '',
    'ok',
    'null',
    '[]',
    '{}',
    '{"ok":"true"}',
    '{"ok":1}',
    '{"ok":false}',
    '{"ok":false,"error":{}}',
    '<html>',
  ])('does not know what became of a message answered by 200 and %j', async (body) =>
    expect(await outcomeOf(httpReply({ status: 200, body }))).toMatchObject({ kind: 'unknown' }),
  );

  it('posts under the base address with the newest token', async () => {
    await outcomeOf(httpReply({ status: 200, body: '{"ok":true}' }), 'https://sandbox.test/api/');
    expect(posted.at(-1)).toEqual({ url: 'https://sandbox.test/api/chat.postMessage', bearer: 'xoxb-new' });
  });

  it.each(['C024 BE91L', 'a/b', '', 'x'.repeat(100), '<!channel>'])('does not take the channel %j', (channel) => {
    expect(slack.settings.channel.read(channel).ok).toBe(false);
  });
});
