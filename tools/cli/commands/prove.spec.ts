import type { ProofReport } from '@tributary/proof';
import { describe, expect, it } from 'vitest';
import { personalOf, renderProof } from './prove.js';

const aReport = (over: Partial<ProofReport>): ProofReport => ({
  from: null,
  to: null,
  tenant: null,
  event: null,
  sources: [],
  domains: [],
  destinations: [],
  ledger: { records: 0, rows: 0, waiting: 0 },
  findings: [],
  moreFindings: 0,
  open: [],
  moreOpen: 0,
  closes: true,
  ...over,
});

describe('a proof, as it is printed', () => {
  it('says that it proved nothing of a tenant that is not there', () => {
    expect(renderProof(aReport({ tenant: 'acmee' }))).toContain('note: there is nothing of tenant acmee');
    expect(renderProof(aReport({}))).not.toContain('note:');
    const domains = [{ domain: 'people', events: 1, routed: 1, dead: 0, waiting: 0 }];
    expect(renderProof(aReport({ tenant: 'acme', domains }))).not.toContain('note:');
  });

  it('shows no control characters that others put into an id or a key', () => {
    const item = {
      where: 'http',
      id: 'e\u001b[2J',
      key: 'acme:\u0007',
      place: null,
      cause: 'in-line',
      why: 'w',
      since: null,
      command: 'c',
    };
    const open = [item] as unknown as ProofReport['open'];
    expect(renderProof(aReport({ open })).replaceAll('\n', '')).not.toMatch(/[\p{Cc}\p{Cf}]/u);
  });
});

describe('a line of a trace', () => {
  it.each([
    [{ personal: 'erased', reason: null, receipt: null }, ' (erased)'],
    [{ personal: 'open', reason: 'gone\u001b[31m', receipt: 'id\r\n2' }, ' (gone [31m) receipt id 2'],
    [{ personal: 'locked', reason: null, receipt: null }, ''],
  ] as const)('%j', (line, expected) => {
    expect(personalOf(line)).toBe(expected);
  });
});
