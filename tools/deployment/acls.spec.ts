import { catalogue, topicFamilies, topics } from '@tributary/contracts';
import { describe, expect, it } from 'vitest';
import { aclsOf, autoscalerAcls, operatorAcls, setupAcls } from './acls.js';

const raw = topicFamilies.raw('acme');
const access = { group: 'normalizer', consumes: [raw], follows: [topics.connections], writes: [raw, topics.audit] };

describe('the rights of a service', () => {
  it('are those of what it declares, and no others', () => {
    const literal = { patternType: 'literal' };
    expect(aclsOf(access)).toEqual([
      { type: 'topic', name: 'raw.acme.v1', ...literal, operations: ['Describe', 'Read', 'Write'] },
      { type: 'topic', name: 'control.connections.v1', ...literal, operations: ['Describe', 'Read'] },
      { type: 'topic', name: 'audit.records.v1', ...literal, operations: ['Describe', 'Write'] },
      { type: 'group', name: 'normalizer', ...literal, operations: ['Describe', 'Read'] },
      {
        type: 'group',
        name: 'control.connections.v1.reader.',
        patternType: 'prefix',
        operations: ['Describe', 'Read'],
      },
    ]);
  });

  it('to look from outside are Describe where only offsets are asked, and Read in groups that are thrown away', () => {
    const inspects = { measures: [raw], reads: [topics.operations], groups: ['router'] };
    expect(aclsOf({ consumes: [], follows: [], writes: [], inspects })).toEqual([
      { type: 'topic', name: 'raw.acme.v1', patternType: 'literal', operations: ['Describe'] },
      { type: 'topic', name: 'operations.events.v1', patternType: 'literal', operations: ['Describe', 'Read'] },
      { type: 'group', name: 'operations.events.v1.read.', patternType: 'prefix', operations: ['Describe', 'Read'] },
      { type: 'group', name: 'router', patternType: 'literal', operations: ['Describe'] },
    ]);
  });

  it('are none of a group where nothing is consumed', () => {
    expect(aclsOf({ consumes: [], follows: [], writes: [topics.audit] }).map(({ type }) => type)).toEqual(['topic']);
  });
});

it('who sets up may create every topic and write the configuration, and read no event', () => {
  const all = catalogue({ sources: ['acme'], destinations: ['slack'] });
  const acls = setupAcls(all);
  const of = (name: string) => acls.find((one) => one.type === 'topic' && one.name === name)?.operations ?? [];
  for (const { name } of all) expect(of(name)).toContain('Create');
  expect(of('control.connections.v1')).toEqual(['Create', 'Describe', 'DescribeConfigs', 'Read', 'Write']);
  expect(of('raw.acme.v1')).toEqual(['Create', 'Describe', 'DescribeConfigs']);
});

it('an operator may look at everything and mend it, and neither write events nor delete', () => {
  const all = catalogue({ sources: ['acme'], destinations: ['slack'] });
  const acls = operatorAcls(all, [access]);
  const of = (name: string) => acls.find((one) => one.type === 'topic' && one.name === name)?.operations ?? [];
  for (const { name } of all) expect(of(name)).toContain('Read');
  const written = all.filter(({ name }) => of(name).includes('Write')).map(({ name }) => name);
  expect(written).toEqual(
    expect.arrayContaining(['control.suspensions.v1', 'audit.records.v1', 'delivery.slack.v1.retry']),
  );
  expect(written.filter((name) => /^(raw|events|delivery)[.].*[.]v1(.*[.]dlt)?$/.test(name))).toEqual([]);
  expect(new Set(acls.flatMap(({ operations }) => operations))).toEqual(
    new Set(['Create', 'Describe', 'DescribeConfigs', 'Read', 'Write']),
  );
  expect(acls.filter(({ type, name }) => type === 'group' && name === 'normalizer')).toHaveLength(1);
});

it('the autoscaler reads nothing', () => {
  const acls = autoscalerAcls([access, { consumes: [], follows: [], writes: [] }]);
  expect(acls.map(({ name, operations }) => [name, operations])).toEqual([
    ['raw.acme.v1', ['Describe']],
    ['normalizer', ['Describe']],
  ]);
});
