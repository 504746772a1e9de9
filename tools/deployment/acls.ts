import {
  followerGroupPrefix,
  type Inspection,
  readerGroupPrefix,
  type TopicAccess,
  type TopicDefinition,
  topics,
} from '@tributary/contracts';

/** One rule of Kafka's own authorizer, in Strimzi's words. */
export interface Acl {
  readonly type: 'topic' | 'group';
  readonly name: string;
  readonly patternType: 'literal' | 'prefix';
  readonly operations: readonly string[];
}

/**
 * The least that a process with this access needs. An idempotent producer needs no right of its own since Kafka 3: who may write a topic may
 * have a producer id.
 */
export function aclsOf({ group, consumes, follows, writes, inspects = nothingInspected }: TopicAccess): Acl[] {
  const operations = new Map<string, Set<string>>();
  const allow = (topic: TopicDefinition, operation: string) => {
    operations.set(topic.name, (operations.get(topic.name) ?? new Set(['Describe'])).add(operation));
  };
  for (const topic of inspects.measures) allow(topic, 'Describe');
  for (const topic of [...consumes, ...follows, ...inspects.reads]) allow(topic, 'Read');
  for (const topic of writes) allow(topic, 'Write');
  return [
    ...[...operations].map(([name, allowed]) => literal('topic', name, [...allowed].sort())),
    ...(group === undefined ? [] : [literal('group', group, ['Describe', 'Read'])]),
    ...follows.map((topic) => throwAwayGroup(followerGroupPrefix(topic))),
    ...inspects.reads.map((topic) => throwAwayGroup(readerGroupPrefix(topic))),
    ...inspects.groups.map((name) => literal('group', name, ['Describe'])),
  ];
}

/** Creates topics and schemas, and writes the configuration: it runs for seconds, when a person deploys. */
export function setupAcls(catalogue: readonly TopicDefinition[]): Acl[] {
  const control = [topics.connections, topics.subscriptions, topics.suspensions, topics.apiKeys];
  const access = aclsOf({ consumes: [], follows: control, writes: [...control, topics.operations, topics.audit] });
  const groups = access.filter(({ type }) => type === 'group');
  const names = new Map(
    access.filter(({ type }) => type === 'topic').map(({ name, operations }) => [name, operations]),
  );
  return [
    ...catalogue.map(({ name }) =>
      literal(
        'topic',
        name,
        [...new Set([...(names.get(name) ?? []), 'Create', 'Describe', 'DescribeConfigs'])].sort(),
      ),
    ),
    ...groups,
  ];
}

/**
 * Whoever is on call, by the command line: looks at everything, mends configuration and offsets, and sends what died through its chain again. Events
 * can be read, since dead letters are shown; they cannot be written, nor can topics be deleted.
 */
export function operatorAcls(catalogue: readonly TopicDefinition[], accesses: readonly TopicAccess[]): Acl[] {
  const written = new Set([
    ...[topics.connections, topics.subscriptions, topics.suspensions, topics.apiKeys].map(({ name }) => name),
    ...[topics.operations, topics.audit].map(({ name }) => name),
    ...catalogue.map(({ name }) => name).filter((name) => name.endsWith('.retry')),
  ]);
  return [
    ...catalogue.map(({ name }) =>
      literal('topic', name, [
        'Create',
        'Describe',
        'DescribeConfigs',
        'Read',
        ...(written.has(name) ? ['Write'] : []),
      ]),
    ),
    ...accesses.flatMap(({ group }) => (group === undefined ? [] : [literal('group', group, ['Describe', 'Read'])])),
    ...catalogue.flatMap((topic) => [
      throwAwayGroup(readerGroupPrefix(topic)),
      throwAwayGroup(followerGroupPrefix(topic)),
    ]),
  ];
}

/** What the autoscaler reads: how far groups are behind, nothing of what is in the topics. */
export function autoscalerAcls(accesses: readonly TopicAccess[]): Acl[] {
  const consumed = accesses.filter(({ group }) => group !== undefined);
  const names = new Set(consumed.flatMap(({ consumes }) => consumes.map(({ name }) => name)));
  return [
    ...[...names].sort().map((name) => literal('topic', name, ['Describe'])),
    ...consumed.map(({ group = '' }) => literal('group', group, ['Describe'])),
  ];
}

const literal = (type: 'topic' | 'group', name: string, operations: readonly string[]): Acl => ({
  type,
  name,
  patternType: 'literal',
  operations,
});

const nothingInspected: Inspection = { reads: [], measures: [], groups: [] };

const throwAwayGroup = (prefix: string): Acl => ({
  type: 'group',
  name: prefix,
  patternType: 'prefix',
  operations: ['Describe', 'Read'],
});
