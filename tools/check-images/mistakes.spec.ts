import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, it } from 'vitest';
import { buildkitMistakes, composeMistakes, hadolintMistakes, withMistake } from './mistakes.js';

const root = join(import.meta.dirname, '../..');
const read = (file: string) => readFileSync(join(root, file), 'utf8');
const [compose, dockerfile] = [read('docker-compose.yml'), read('Dockerfile')];

// Without Docker's programs, which only `npm run check:images` has: that what they are given still is what it was meant to be.
it.each([
  ...composeMistakes.map((mistake) => [compose, mistake] as const),
  ...[...buildkitMistakes, ...hadolintMistakes].map((mistake) => [dockerfile, mistake] as const),
])('can still be made: $1.name', (text, mistake) => {
  expect(withMistake(text, mistake)).not.toBe(text);
});

it('is no mistake when the file does not have what it changes', () => {
  expect(() => withMistake('a', { name: 'x', from: 'b', to: 'c', said: /./ })).toThrow('no longer has');
});
