import { createHmac } from 'node:crypto';
import { describe, expect, it } from 'vitest';
import { fixturesIn, requestOf, sourceContract } from '../../connector-kit/src/contract/index.js';
import { gusto } from './definition.js';

const token = '6590f590-3dba-495e-9bea-c361e1e2efc0';
const formerToken = '7c1d1a56-42ab-4b0c-9f53-0b6f3a1f7f10';

sourceContract(gusto, {
  fixtures: fixturesIn(import.meta.dirname),
  signing: {
    secrets: [token, formerToken],
    otherSecret: '11111111-2222-4333-8444-555555555555',
    header: 'X-Gusto-Signature',
    sign: (body, { secret }) => ({ 'X-Gusto-Signature': createHmac('sha256', secret).update(body).digest('hex') }),
    timestamped: false,
    list: false,
    hex: true,
  },
});

describe('gusto', () => {
  const body = '{"id":"evt_1","ok":true}';
  const signature = '4e2576b1988fe89cf8144c52fdda44043fe68c3a1f672e487d04b251e3919e44';
  const connection = (pending: boolean, webhook: string[] = [token]) => ({
    id: 'c1',
    tenant: 't1',
    settings: { pending },
    secrets: { webhook },
  });

  it.each(['X-Gusto-Signature', 'X_Gusto_Signature', 'x-gusto-signature'])('takes the vector F5 in %s', (name) => {
    expect(gusto.verify(requestOf(body, { [name]: signature }), connection(false))).toEqual({ kind: 'verified' });
  });

  it('answers 400 when both spellings of the header come', () => {
    const request = requestOf(body, { 'x-gusto-signature': signature, x_gusto_signature: signature });
    expect(gusto.verify(request, connection(false))).toMatchObject({ kind: 'refused', status: 400 });
  });

  const handshake = JSON.stringify({ verification_token: token });

  it('takes the unsigned verification token while the connection is pending, and has it sealed', () => {
    expect(gusto.verify(requestOf(handshake, {}), connection(true, []))).toEqual({
      kind: 'handshake',
      answer: { status: 200 },
      keep: { eventType: 'verification_token', secretFields: ['verification_token'] },
    });
  });

  it.each([
    ['the connection is not pending', handshake, {}, false],
    ['the body has another member', JSON.stringify({ verification_token: token, uuid: '1' }), {}, true],
    ['the body is an event', JSON.stringify({ uuid: '1', event_type: 'employee.created' }), {}, true],
    ['the token is not text', '{"verification_token":{}}', {}, true],
    ['the token is empty', '{"verification_token":""}', {}, true],
    ['the body is empty', '', {}, true],
    ['a wrong signature comes with it', handshake, { 'x-gusto-signature': '00' }, true],
    ['an empty signature comes with it', handshake, { 'x-gusto-signature': '' }, true],
  ])('answers 401 to a handshake when %s', (_name, bytes, headers, pending) => {
    expect(gusto.verify(requestOf(bytes, headers), connection(pending))).toMatchObject({
      kind: 'refused',
      status: 401,
    });
  });
});
