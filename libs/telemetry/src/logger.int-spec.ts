import { spawnSync } from 'node:child_process';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { describe, expect, it } from 'vitest';

// One thread in the pool, and it is busy: what goes through the pool comes late.
const program = `
  import { pbkdf2 } from 'node:crypto';
  import { createLogger } from '${pathToFileURL(join(import.meta.dirname, '../../../dist/libs/telemetry/src/logger.js'))}';
  const logger = createLogger({ service: 'spec', instance: 'spec', level: 'info' });
  pbkdf2('a', 'b', 300_000, 64, 'sha512', () => undefined);
  logger.info({}, 'first');
  console.log(JSON.stringify({ message: 'second' }));
  logger.info({}, 'third');
  process.exit(0);`;

describe('a log', () => {
  it('keeps its order and its last line when the process ends at once', () => {
    const { stdout } = spawnSync(process.execPath, ['--input-type=module', '-e', program], {
      env: { UV_THREADPOOL_SIZE: '1' },
      encoding: 'utf8',
    });
    const messages = stdout.split('\n').flatMap((line) => (line === '' ? [] : [JSON.parse(line).message]));
    expect(messages).toEqual(['first', 'second', 'third']);
  });
});
