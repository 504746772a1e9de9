import { Writable } from 'node:stream';
import { describe, expect, it } from 'vitest';
import { Output } from './output.js';

/** Takes so many texts, then is closed as a pipe is. */
function closedAfter(count: number, taken: string[]): Writable {
  return new Writable({
    autoDestroy: false,
    write: (chunk, _, done) => {
      if (taken.length === count) return done(Object.assign(new Error('write EPIPE'), { code: 'EPIPE' }));
      taken.push(String(chunk));
      return done();
    },
  });
}

describe('the output of a command', () => {
  it('tells a long answer that nobody reads any more, and does not end the command', async () => {
    const taken: string[] = [];
    const output = new Output(closedAfter(2, taken));
    const written: boolean[] = [];
    for (const text of ['a', 'b', 'c', 'd']) written.push(await output.write(text));
    expect({ taken, written }).toEqual({ taken: ['a', 'b'], written: [true, true, false, false] });
  });

  it('does not hide another error', () => {
    const stream = new Writable();
    new Output(stream);
    expect(() => stream.emit('error', new Error('disk full'))).toThrow('disk full');
  });
});
