import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { chooseRegistryLine } from './registry-line.js';

describe('the line of the registry', () => {
  let folder: string;

  beforeEach(() => {
    folder = mkdtempSync(join(tmpdir(), 'tributary-line-'));
  });
  afterEach(() => rmSync(folder, { recursive: true, force: true }));

  it.each([
    [17, '2.6'],
    [20, '2.6'],
    [21, '3.3'],
    [25, '3.3'],
  ])('on Java %d in an empty folder is %s, and the folder remembers it', async (major, line) => {
    expect(await chooseRegistryLine(folder, major)).toBe(line);
    expect(readFileSync(join(folder, 'registry-line'), 'utf8')).toBe(`${line}\n`);
  });

  it('stays with the data when a newer Java is found', async () => {
    await chooseRegistryLine(folder, 17);
    expect(await chooseRegistryLine(folder, 25)).toBe('2.6');
  });

  it('is refused when the data was written by a line that this Java cannot run', async () => {
    await chooseRegistryLine(folder, 25);
    await expect(chooseRegistryLine(folder, 17)).rejects.toThrow(
      /was written by Apicurio Registry 3\.3, which needs a JDK 21 or newer, and Java 17 is what was found/,
    );
  });

  it('is 3.3 for a folder from before lines were remembered', async () => {
    mkdirSync(join(folder, 'kafka'));
    await expect(chooseRegistryLine(folder, 17)).rejects.toThrow('3.3');
    expect(await chooseRegistryLine(folder, 21)).toBe('3.3');
  });

  it.each(['', '4.0', '../../etc'])('is never guessed from a mark that says %j', async (mark) => {
    writeFileSync(join(folder, 'registry-line'), mark);
    await expect(chooseRegistryLine(folder, 25)).rejects.toThrow(`names registry "${mark}", which is unknown here`);
  });
});
