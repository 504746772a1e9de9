import { describe, expect, it } from 'vitest';
import { cacheFolder, cacheRoot, describeDownload } from './java-artifacts.js';

describe('the cache of Java artifacts', () => {
  it.each([
    [{ TRIBUTARY_CACHE_DIR: '/c', XDG_CACHE_HOME: '/x' }, '/c'],
    [{ XDG_CACHE_HOME: '/x' }, '/x/tributary'],
  ])('with %j is %s', (env, root) => {
    expect(cacheRoot(env)).toBe(root);
  });

  it('is in the home folder otherwise', () => {
    expect(cacheRoot({ XDG_CACHE_HOME: '' })).toMatch(/\/\.cache\/tributary$/);
  });

  it('has a folder per pom, the same for the same pom', () => {
    expect(cacheFolder('/c', 'a')).toBe(cacheFolder('/c', 'a'));
    expect(cacheFolder('/c', 'a')).not.toBe(cacheFolder('/c', 'b'));
  });
});

describe("the progress in Maven's log", () => {
  const started = 'Downloading from central: https://repository.example/org/kafka/kafka-clients-4.3.1.jar';
  const finished =
    'Downloaded from central: https://repository.example/org/kafka/kafka-clients-4.3.1.jar (5 MB at 2 MB/s)';

  it.each([
    ['', "taking what Maven's own cache has"],
    [started, '0 files fetched, now kafka-clients-4.3.1.jar'],
    [`${started}\n${finished}`, '1 files fetched'],
    [`${started}\n${finished}\nDownloading from a mirror: http://m/x/y.pom`, '1 files fetched, now y.pom'],
  ])('%j reads %j', (log, text) => {
    expect(describeDownload(log)).toBe(text);
  });
});
