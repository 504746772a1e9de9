import { describe, expect, it } from 'vitest';
import { eventually } from './eventually.js';

describe('eventually', () => {
  it('resolves with the value once the condition stops throwing', async () => {
    let tries = 0;
    const value = await eventually(
      () => {
        if (++tries < 3) throw new Error('too early');
        return `after ${tries}`;
      },
      { intervalMs: 1 },
    );
    expect(value).toBe('after 3');
  });

  it('waits while a claim is false', async () => {
    let tries = 0;
    await eventually(async () => ++tries === 4, { intervalMs: 1 });
    expect(tries).toBe(4);
  });

  it('accepts an assertion that returns nothing', async () => {
    await expect(eventually(() => undefined)).resolves.toBeUndefined();
  });

  it('fails with what it waited for and the last complaint', async () => {
    const waiting = eventually(() => expect(1).toBe(2), { timeoutMs: 20, intervalMs: 5, what: 'one to be two' });
    await expect(waiting).rejects.toThrow(/waited 20 ms \(\d+ tries\) for one to be two; last: expected 1 to be 2/);
  });

  it('says so when the claim stayed false', async () => {
    const waiting = eventually(() => false, { timeoutMs: 0 });
    await expect(waiting).rejects.toThrow('waited 0 ms (1 tries) for the condition to hold; last: it returned false');
  });
});
