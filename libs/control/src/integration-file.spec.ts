import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, expect, it, onTestFinished } from 'vitest';
import { parseIntegrations, readIntegrationFiles } from './integration-file.js';

const parse = (text: string, environment = {}) => parseIntegrations('a.yaml', text, environment);

const good = `
connections:
  - id: acme-gusto
    tenant: acme
    source: gusto
    secrets: { webhook: [env:TOKEN, file:/run/secrets/old] }
  - id: acme-slack
    tenant: acme
    destination: slack
    settings: { channel: "\${CHANNEL}", retries: 3 }
subscriptions:
  - id: hires
    tenant: acme
    events: [people.employee.onboarded]
    to: acme-slack
    operation: postMessage
apiKeys:
  - { id: shop, tenant: acme, key: env:KEY }
`;

describe('an integration file', () => {
  it('is read with its defaults, its variables filled in', () => {
    const { integrations, problems } = parse(good, { CHANNEL: 'C1' });
    expect(problems).toEqual([]);
    expect(integrations.connections).toMatchObject([
      { id: 'acme-gusto', settings: {}, secrets: { webhook: ['env:TOKEN', 'file:/run/secrets/old'] } },
      { id: 'acme-slack', settings: { channel: 'C1', retries: 3 }, secrets: {} },
    ]);
    expect(integrations.subscriptions).toHaveLength(1);
    expect(integrations.apiKeys).toEqual([{ id: 'shop', tenant: 'acme', key: 'env:KEY', scopes: ['publish'] }]);
  });

  it('names the variable that is not set and who needs it', () => {
    expect(parse(good).problems).toEqual(['a.yaml: connection acme-slack needs CHANNEL, which is not set']);
  });

  it.each(['', '# nothing yet\n', '---\n---\n', 'connections: []'])('may hold nothing: %j', (text) => {
    expect(parse(text)).toEqual({ integrations: { connections: [], subscriptions: [], apiKeys: [] }, problems: [] });
  });

  it('may hold two documents, which are added up', () => {
    const { integrations, problems } = parse(`${good}---\nconnections: [{ id: b, tenant: t, source: gusto }]`, {
      CHANNEL: 'C1',
    });
    expect(problems).toEqual([]);
    expect(integrations.connections.map(({ id }) => id)).toEqual(['acme-gusto', 'acme-slack', 'b']);
  });

  it('keeps the good document beside a bad one, and says where the bad one is', () => {
    const { integrations, problems } = parse('connections: [{ id: b, tenant: t, source: gusto }]\n---\n{ oops: 1 }');
    expect(integrations.connections).toHaveLength(1);
    expect(problems).toEqual([expect.stringMatching(/^a\.yaml:3: document .*oops/)]);
  });

  const connection = (rest: string) => `connections:\n  - id: a\n    tenant: t\n    ${rest}`;
  it.each([
    ['a plain secret', connection('source: x\n    secrets: { webhook: [hunter2] }'), /a\.yaml:5: .*a plain secret/],
    ['a secret that is no list', connection('source: x\n    secrets: { webhook: env:A }'), /a\.yaml:5: .*array/],
    ['both sides', connection('source: x\n    destination: y'), /exactly one of source and destination/],
    ['neither side', connection('settings: {}'), /exactly one of source and destination/],
    ['onDead of a source', connection('source: x\n    onDead: hold'), /is a source/],
    ['an onDead that there is not', connection('destination: x\n    onDead: perhaps'), /:5: .*onDead/],
    ['limits of a source', connection('source: x\n    limits: { perSecond: 1 }'), /is a source/],
    ['a policy of a source', connection('source: x\n    unknownOutcome: hold'), /is a source/],
    ['a policy that there is not', connection('destination: x\n    unknownOutcome: guess'), /:5: .*unknownOutcome/],
    ['a rate of nothing', connection('destination: x\n    limits: { perSecond: 0 }'), /:5: .*perSecond/],
    ['a burst without a rate', connection('destination: x\n    limits: { burst: 5 }'), /:5: .*burst needs perSecond/],
    ['half a call at once', connection('destination: x\n    limits: { perSecond: 1, burst: 0.5 }'), /:5: .*burst/],
    ['a limit that there is not', connection('destination: x\n    limits: { perHour: 5 }'), /:5: .*perHour/],
    ['an unknown member', connection('source: x\n    sauce: y'), /a\.yaml:2: connections\.0 .*sauce/],
    [
      'an upper-case id',
      'connections:\n  - { id: Acme, tenant: t, source: x }',
      /a\.yaml:2: connections\.0\.id must match/,
    ],
    ['an id with a slash', 'apiKeys:\n  - { id: a/b, tenant: t, key: env:K }', /apiKeys\.0\.id must match/],
    ['a missing tenant', 'connections:\n\n  - { id: a, source: x }', /a\.yaml:3: connections\.0\.tenant/],
    ['no event', 'subscriptions: [{ id: a, tenant: t, events: [], to: b, operation: o }]', /subscriptions\.0\.events/],
    [
      'a number for a filter',
      'subscriptions: [{ id: a, tenant: t, events: [e], to: b, operation: o, filter: 5 }]',
      /filter/,
    ],
    ['a list at the top', '- connections', /a\.yaml:1: document/],
    ['a text at the top', 'hello', /a\.yaml:1: document/],
    ['a key twice', 'connections: []\nconnections: []', /a\.yaml:2: Map keys must be unique/],
    ['a broken line', 'connections: [\n  {', /a\.yaml:\d+: /],
    ['a tab for a blank', 'connections:\n\t- id: a', /a\.yaml:2: /],
    ['an alias', 'connections: [&a { id: a, tenant: t, source: x }, *a]', /a\.yaml: .*\*a is an alias/],
    ['an alias to nothing', 'connections: [*nobody]', /a\.yaml.*nobody/],
    ['a merge key', 'connections: [&a { id: a, tenant: t, source: x }, { <<: *a, id: b }]', /a\.yaml.*alias/],
    ['nesting without end', `connections: ${'['.repeat(10_000)}`, /^a\.yaml/],
  ])('refuses %s', (_, text, problem) => {
    const { problems } = parse(text);
    expect(problems.join('\n')).toMatch(problem);
  });

  it('does not expand a billion laughs', () => {
    const levels = Array.from({ length: 40 }, (_, i) => `a${i + 1}: &a${i + 1} [${`*a${i}, `.repeat(9)}*a${i}]`);
    const { problems } = parse(['a0: &a0 [lol]', ...levels].join('\n'));
    expect(problems).toEqual([expect.stringMatching(/a\.yaml: .* is an alias/)]);
  });

  it('never repeats a plain secret', () => {
    expect(parse(connection('source: x\n    secrets: { webhook: [hunter2] }')).problems.join()).not.toContain(
      'hunter2',
    );
  });

  it('cannot change what an object is', () => {
    const { problems } = parse('__proto__: { polluted: true }\nconnections: []');
    expect(problems).toHaveLength(1);
    expect(({} as { polluted?: boolean }).polluted).toBeUndefined();
  });
});

describe('a folder of integration files', () => {
  function folder(files: Record<string, string>): string {
    const path = mkdtempSync(join(tmpdir(), 'integrations-'));
    onTestFinished(() => rmSync(path, { recursive: true }));
    for (const [name, text] of Object.entries(files)) writeFileSync(join(path, name), text);
    return path;
  }
  const one = (id: string) => `connections: [{ id: ${id}, tenant: t, source: x }]`;

  it('is read in order of name, YAML files only', () => {
    const path = folder({ 'b.yml': one('second'), 'a.yaml': one('first'), 'c.txt': 'not: [yaml' });
    const { integrations, problems } = readIntegrationFiles([path]);
    expect(problems).toEqual([]);
    expect(integrations.connections.map(({ id }) => id)).toEqual(['first', 'second']);
  });

  it('without a file is a problem, so that an empty mount does not prune everything', () => {
    expect(readIntegrationFiles([folder({})]).problems).toEqual([expect.stringContaining('no YAML file found')]);
  });

  it('that is not there is a problem with its name, and what can be read is read', () => {
    const path = folder({ 'a.yaml': one('first') });
    const { integrations, problems } = readIntegrationFiles([join(path, 'nowhere'), path]);
    expect(problems).toEqual([expect.stringMatching(/nowhere: cannot be read: ENOENT/)]);
    expect(integrations.connections).toHaveLength(1);
  });
});
