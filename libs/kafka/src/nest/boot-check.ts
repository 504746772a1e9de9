import type { TopicDefinition } from '@tributary/contracts';

/** A (group, topic) pair that this process must consume. */
export interface ExpectedSubscription {
  readonly group: string;
  readonly topic: TopicDefinition;
}

/** A (group, topic) pair that a handler is bound to. */
export interface BoundSubscription extends ExpectedSubscription {
  /** `RouterConsumer.handle`. */
  readonly handlerName: string;
}

export interface BootCheck {
  readonly bound: readonly BoundSubscription[];
  /** What the process is there for; absent: only what is bound is checked. */
  readonly expected?: readonly ExpectedSubscription[];
  /** Every topic of the deployment; absent: not checked. */
  readonly catalogue?: readonly TopicDefinition[];
}

export class InvalidSubscriptions extends Error {
  constructor(readonly problems: readonly string[]) {
    super(`the consumers do not fit the catalogue:\n${problems.map((problem) => `  - ${problem}`).join('\n')}`);
    this.name = 'InvalidSubscriptions';
  }
}

/** @throws InvalidSubscriptions naming every line to add or remove. */
export function checkSubscriptions(check: BootCheck): void {
  const problems = [
    ...doubles(check),
    ...splitGroups(check),
    ...uncatalogued(check),
    ...missing(check),
    ...unexpected(check),
  ];
  if (problems.length > 0) throw new InvalidSubscriptions(problems);
}

const nameOf = ({ group, topic }: ExpectedSubscription) => `${group} ${topic.name}`;

function doubles({ bound }: BootCheck): string[] {
  const handlers = new Map<string, BoundSubscription[]>();
  for (const one of bound) handlers.set(nameOf(one), [...(handlers.get(nameOf(one)) ?? []), one]);
  return [...handlers.values()]
    .filter((same) => same.length > 1)
    .map((same) => {
      const names = same.map(({ handlerName }) => handlerName).join(' and ');
      return `${names} both consume ${same[0]?.topic.name} in group ${same[0]?.group}: remove one of the @Consumes`;
    });
}

// The members of a group must subscribe to the same topics: kafkajs' leader assigns its own topics to all of them.
function splitGroups({ bound }: BootCheck): string[] {
  const handlers = new Map<string, Set<string>>();
  for (const { group, handlerName } of bound) {
    handlers.set(group, (handlers.get(group) ?? new Set()).add(handlerName));
  }
  return [...handlers]
    .filter(([, names]) => names.size > 1)
    .map(([group, names]) => `${[...names].join(' and ')} share group ${group}: give one @Consumes all its topics`);
}

function uncatalogued({ bound, catalogue }: BootCheck): string[] {
  if (!catalogue) return [];
  const known = new Set(catalogue.map(({ name }) => name));
  return bound
    .filter(({ topic }) => !known.has(topic.name))
    .map(
      ({ handlerName, topic }) => `${handlerName} consumes ${topic.name}, which is not in the catalogue: add it there`,
    );
}

function missing({ bound, expected = [] }: BootCheck): string[] {
  const known = new Set(bound.map(nameOf));
  return expected
    .filter((one) => !known.has(nameOf(one)))
    .map(
      ({ group, topic }) =>
        `nothing consumes ${topic.name} in group ${group}: add @Consumes(${topic.name}, { group: '${group}' })`,
    );
}

function unexpected({ bound, expected }: BootCheck): string[] {
  if (!expected) return [];
  const known = new Set(expected.map(nameOf));
  return bound
    .filter((one) => !known.has(nameOf(one)))
    .map(
      ({ handlerName, group, topic }) =>
        `${handlerName} consumes ${topic.name} in group ${group}, which this process is not there for: remove its @Consumes`,
    );
}
