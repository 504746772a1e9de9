import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { parse } from 'yaml';
import type { ChartFacts } from '../deployment/chart-facts.js';
import { handWritten, newDestination, newSource, ScaffoldTrial } from './trial.js';

let trial: ScaffoldTrial;
beforeAll(async () => {
  trial = await ScaffoldTrial.make(join(import.meta.dirname, '../..'));
});
afterAll(() => trial?.remove());

/** Written as a whole by `npm run generate`, and JSON has no place to say so. */
const generatedJson = /^k8s\/chart\/tributary\/(values[.]schema|files\/.*)[.]json$/;
const isGenerated = (path: string, text: string) =>
  /(^|\/)generated\//.test(path) || generatedJson.test(path) || /^# Generated from the code/.test(text);

describe('whoever adds a destination and a source', () => {
  it('edits no file that a person wrote', async () => {
    const { added, changed } = await trial.changes();
    const own = [`libs/destinations/${newDestination}/`, `libs/sources/${newSource}/`];
    expect(added.filter((path) => !own.some((folder) => path.startsWith(folder)))).toEqual([]);
    for (const folder of own) expect(added.filter((path) => path.startsWith(folder)).length).toBeGreaterThan(4);
    expect(changed.length).toBeGreaterThan(4);
    for (const path of changed) {
      if (isGenerated(path, trial.read(path))) continue;
      expect(handWritten(trial.read(path)), path).toBe(handWritten(await trial.before(path)));
      // The rest of it is not taken for generated: there is something to compare.
      expect(handWritten(trial.read(path)).length, path).toBeGreaterThan(200);
    }
  });

  it('has tests that pass', async () => {
    const folders = [`libs/destinations/${newDestination}`, `libs/sources/${newSource}`];
    await expect(
      trial.node('node_modules/vitest/vitest.mjs', 'run', '--project', 'unit', ...folders),
    ).resolves.toBeUndefined();
  });

  it('has it in the chart, in the compose file and in the documentation', () => {
    const facts = parse(trial.read('k8s/chart/tributary/files/facts.yaml')) as ChartFacts;
    const service = facts.services[`connector-${newDestination}`];
    expect(service).toMatchObject({ app: 'connector', destination: newDestination, kind: 'consumer' });
    const rights = service?.acls.find(({ name }) => name === `delivery.${newDestination}.v1`);
    expect(rights?.operations).toEqual(['Describe', 'Read']);
    expect(facts.topics.map(({ name }) => name)).toEqual(
      expect.arrayContaining([
        `delivery.${newDestination}.v1`,
        `delivery.${newDestination}.v1.dlt`,
        `raw.${newSource}.v1`,
      ]),
    );
    const ingress = facts.services.ingress?.acls.find(({ name }) => name === `raw.${newSource}.v1`);
    expect(ingress?.operations).toContain('Write');
    expect(trial.read('docker-compose.yml')).toContain(`connector-${newDestination}:`);
    for (const name of [newDestination, newSource]) expect(trial.read('README.md')).toContain(`\`${name}\``);
  });
});

describe('what people write in a file', () => {
  it('is all that is not between markers', () => {
    const text = (inside: string) =>
      `a\n<!-- generated:x -->\n${inside}\n<!-- /generated:x -->\nb\n  # generated:y\n  1\n  # /generated:y\nc`;
    expect(handWritten(text('one'))).toBe(handWritten(text('two\nlines')));
    expect(handWritten(text('one'))).not.toBe(handWritten(`${text('one')}d`));
    expect(handWritten('a generated: file')).toBe('a generated: file');
  });
});
