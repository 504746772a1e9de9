import { getEventListeners } from 'node:events';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { AttemptLimit } from './attempt-limit.js';

describe('AttemptLimit', () => {
  beforeEach(() => {
    vi.useFakeTimers();
  });
  afterEach(() => {
    vi.useRealTimers();
  });

  it('ends the attempt when its time is over, and says so', () => {
    const { signal } = new AttemptLimit(new AbortController().signal, 100);
    vi.advanceTimersByTime(99);
    expect(signal.aborted).toBe(false);
    vi.advanceTimersByTime(1);
    expect(signal.reason).toMatchObject({ name: 'TimeoutError', message: expect.stringContaining('100 ms') });
  });

  it('ends it with the work it belongs to, for the same reason', () => {
    const work = new AbortController();
    const { signal } = new AttemptLimit(work.signal, 100);
    work.abort('partition lost');
    expect(signal.reason).toBe('partition lost');
  });

  it('is ended from the start when the work was taken away before', () => {
    expect(new AttemptLimit(AbortSignal.abort('gone'), 100).signal.reason).toBe('gone');
  });

  it('leaves neither a timer nor a listener behind', () => {
    const work = new AbortController();
    const limit = new AttemptLimit(work.signal, 100);
    limit.end();
    expect(vi.getTimerCount()).toBe(0);
    expect(getEventListeners(work.signal, 'abort')).toHaveLength(0);
    work.abort();
    expect(limit.signal.aborted).toBe(false);
  });
});
