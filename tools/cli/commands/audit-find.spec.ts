import type { AuditFact } from '@tributary/operations/audit';
import { describe, expect, it } from 'vitest';
import { renderFacts, writeJson } from './audit-find.js';

async function jsonOf(facts: readonly unknown[], most = 1_000): Promise<string> {
  const written: string[] = [];
  const answer = { write: async (text: string) => written.push(text) < most };
  await writeJson(
    answer,
    (async function* () {
      yield* facts;
    })(),
  );
  return written.join('');
}

const aFact = (over: Partial<AuditFact>): AuditFact =>
  ({
    recordedAt: '2026-01-01T00:00:00.000Z',
    stage: 'connector',
    action: 'settled',
    outcome: 'dead',
    ...over,
  }) as AuditFact;

describe('tributary audit find', () => {
  it.each([[[]], [[{ a: 1 }]], [[{ a: 'x\ny' }, { b: { c: [1, 2] } }]]])(
    'writes a list as JSON, one after the other: %j',
    async (facts) => {
      const text = await jsonOf(facts);
      expect(text).toBe(`${JSON.stringify(facts, null, 2)}\n`);
    },
  );

  it('ends when nobody reads any more', async () => {
    expect(await jsonOf([{ a: 1 }, { a: 2 }, { a: 3 }], 2)).not.toContain('"a": 3');
  });

  it.each<[Partial<AuditFact>, RegExp]>([
    [{ personal: 'locked', errorCode: 'http-500' }, /locked: needs LEDGER_KEYS_FILE/],
    [{ personal: 'erased', reason: null, errorCode: 'http-500' }, /erased/],
    [{ personal: 'open', reason: 'no such channel' }, /no such channel/],
    [{ personal: 'open', reason: null, errorCode: 'http-500' }, /http-500/],
  ])('says why, or why it cannot: %j', (fact, expected) => {
    expect(renderFacts([aFact(fact)])).toMatch(expected);
  });

  it('shows no control characters of others', () => {
    const shown = renderFacts([aFact({ event: 'e\u001b[2J1', personal: 'open', reason: 'r\u001b]0;x\u0007\u202e' })]);
    expect(shown.replaceAll('\n', '')).not.toMatch(/[\p{Cc}\p{Cf}]/u);
  });
});
