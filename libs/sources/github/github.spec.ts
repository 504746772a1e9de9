import { createHmac } from 'node:crypto';
import { describe, expect, it } from 'vitest';
import { fixturesIn, requestOf, sourceContract } from '../../connector-kit/src/contract/index.js';
import { github } from './definition.js';

sourceContract(github, {
  fixtures: fixturesIn(import.meta.dirname),
  signing: {
    secrets: ['mysecret', 'my former secret'],
    otherSecret: 'not my secret',
    header: 'X-Hub-Signature-256',
    sign: (body, { secret }) => ({
      'X-Hub-Signature-256': `sha256=${createHmac('sha256', secret).update(body).digest('hex')}`,
      'X-GitHub-Event': 'issues',
      'X-GitHub-Delivery': '72d3162e-cc78-11e3-81ab-4c9367dc0958',
    }),
    timestamped: false,
    list: false,
    hex: true,
  },
});

describe('github', () => {
  const verdictOn = (secret: string, body: string, headers: Record<string, string>) =>
    github.verify(requestOf(body, headers), { id: 'c1', tenant: 't1', settings: {}, secrets: { webhook: [secret] } });
  const refused = { kind: 'refused', status: 401 };

  it.each([
    [
      'P1',
      "It's a Secret to Everybody",
      'Hello, World!',
      'sha256=757107ea0eb2509fc211221cce984b8a37570b6d7586c22c46f4379c8b043e17',
    ],
    ['P2', 'mysecret', '{"foo":"bar"}', 'sha256=4864d2759938a15468b5df9ade20bf161da9b4f737ea61794142f3484236bda3'],
  ])('takes the vector %s', (_name, secret, body, signature) => {
    expect(verdictOn(secret, body, { 'x-hub-signature-256': signature })).toEqual({ kind: 'verified' });
  });

  it('never takes SHA-1, alone or in the place of SHA-256', () => {
    const sha1 = createHmac('sha1', 'mysecret').update('{}').digest('hex');
    expect(verdictOn('mysecret', '{}', { 'x-hub-signature': `sha1=${sha1}` })).toMatchObject(refused);
    expect(verdictOn('mysecret', '{}', { 'x-hub-signature-256': `sha1=${sha1}` })).toMatchObject(refused);
  });

  it.each(['', 'SHA256=', 'sha256 ', 'sha512='])('answers 401 when the scheme is spelt %j', (scheme) => {
    const hex = createHmac('sha256', 'mysecret').update('{}').digest('hex');
    expect(verdictOn('mysecret', '{}', { 'x-hub-signature-256': scheme + hex })).toMatchObject(refused);
  });

  it.each([
    ['no field payload', 'a=1'],
    ['two fields payload', 'payload=%7B%7D&payload=%7B%7D'],
    ['a payload that is not JSON', 'payload=hello'],
    ['an empty payload', 'payload='],
  ])('calls a form with %s malformed', (_name, form) => {
    const request = requestOf(form, {
      'content-type': 'application/x-www-form-urlencoded; charset=utf-8',
      'x-github-event': 'issues',
    });
    const connection = { id: 'c1', tenant: 't1', settings: {}, secrets: {} };
    expect(github.describe(request, connection)).toMatchObject({ kind: 'malformed', code: 'body-unreadable' });
  });
});
