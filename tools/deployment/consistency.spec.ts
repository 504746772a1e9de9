import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { parse } from 'yaml';
import { type ChartFacts, readChartFacts } from './chart-facts.js';
import { findInconsistencies } from './consistency.js';
import { type Container, type Manifest, parseManifests, podSpecOf } from './manifests.js';

const root = join(import.meta.dirname, '../..');
const places = ['base', 'components/keda', 'components/strimzi', 'components/monitoring', 'components/gateway'];
const facts = await readChartFacts({ root, built: join(root, 'dist') });

const rendered = (): Manifest[] =>
  places.flatMap((place) => {
    const file = join(root, 'k8s/kustomize', place, 'tributary.yaml');
    return parseManifests(readFileSync(file, 'utf8'), file);
  });

const find = (manifests: readonly Manifest[], kind: string, name: string) =>
  manifests.find((one) => one.kind === kind && one.metadata.name === name)!;

const routerOf = (manifests: readonly Manifest[]) => podSpecOf(find(manifests, 'Deployment', 'router'))!;

/** The facts with one service changed: what the code says after somebody renamed something in it. */
const withService = (name: string, change: object): ChartFacts => ({
  ...facts,
  services: { ...facts.services, [name]: { ...facts.services[name]!, ...change } },
});

describe('the rendered manifests', () => {
  it('say nothing that the code does not', () => {
    expect(findInconsistencies(rendered(), facts)).toEqual([]);
  });

  it('are rendered with what the code says now', () => {
    const file = join(root, 'k8s/chart/tributary/files/facts.yaml');
    expect(existsSync(file)).toBe(true);
    expect(parse(readFileSync(file, 'utf8')), 'run `npm run generate`').toEqual(JSON.parse(JSON.stringify(facts)));
  });
});

describe('a change in the code that the manifests do not follow', () => {
  const router = facts.services.router!;

  it.each<[string, ChartFacts, RegExp]>([
    [
      'a renamed topic',
      { ...facts, topics: facts.topics.filter(({ name }) => name !== 'control.connections.v1') },
      /control\.connections\.v1/,
    ],
    [
      'another retention',
      { ...facts, topics: facts.topics.map((one) => ({ ...one, configs: { ...one.configs, 'retention.ms': '1' } })) },
      /retention\.ms/,
    ],
    [
      'a removed service',
      { ...facts, services: Object.fromEntries(Object.entries(facts.services).filter(([name]) => name !== 'router')) },
      /router is no service/,
    ],
    ['a renamed app', withService('router', { app: 'dispatcher' }), /not the image of dispatcher/],
    [
      'another port',
      withService('router', { port: 9090, settings: router.settings.filter(({ variable }) => variable !== 'PORT') }),
      /PORT/,
    ],
    [
      'another path of liveness',
      withService('router', { paths: { ...router.paths, live: '/alive' } }),
      /livenessProbe asks \/health\/live/,
    ],
    [
      'another path of readiness',
      withService('router', { paths: { ...router.paths, ready: '/ok' } }),
      /readinessProbe asks/,
    ],
    [
      'another path of metrics',
      withService('router', { paths: { ...router.paths, metrics: '/m' } }),
      /scrapes \/metrics/,
    ],
    [
      'a removed variable',
      withService('router', { settings: router.settings.filter(({ variable }) => variable !== 'SCHEMA_REGISTRY_URL') }),
      /gives SCHEMA_REGISTRY_URL, which the app does not read/,
    ],
    [
      'a new required variable',
      withService('router', {
        settings: [...router.settings, { variable: 'REGION', from: 'value', required: true, secret: false }],
      }),
      /does not give REGION/,
    ],
    ['a longer shutdown', withService('router', { stop: { ...router.stop, shutdownMs: 60_000 } }), /is killed after/],
    [
      'another group',
      withService('router', { consumes: { ...router.consumes!, group: 'dispatcher' } }),
      /group router/,
    ],
    [
      'another destination topic',
      withService('connector-slack', { consumes: { ...facts.services['connector-slack']!.consumes!, topics: [] } }),
      /looks at delivery\.slack\.v1/,
    ],
    ['a renamed metric', { ...facts, metrics: { lagTime: 'oldest_seconds' } }, /not oldest_seconds/],
  ])('is found: %s', (_, changed, message) => {
    const manifests = rendered();
    // Not in the base, which knows no Prometheus.
    const { triggers } = find(manifests, 'ScaledObject', 'router').spec as { triggers: object[] };
    triggers.push({ type: 'prometheus', metadata: { query: `max(${facts.metrics.lagTime}{group="router"})` } });
    expect(findInconsistencies(manifests, changed).join('\n')).toMatch(message);
  });
});

describe('a manifest that says something wrong', () => {
  it.each<[string, (manifests: Manifest[]) => unknown, RegExp]>([
    [
      'a misspelt variable',
      (all) => (routerOf(all).containers[0]!.env as object[]).push({ name: 'CONCURENCY', value: '1' }),
      /CONCURENCY/,
    ],
    [
      'a secret in plain text',
      (all) =>
        (routerOf(all).containers[0]!.env as { name: string; value: string }[]).forEach((one) => {
          if (one.name === 'KAFKA_PASSWORD') one.value = 'hunter2';
        }),
      /KAFKA_PASSWORD in plain text/,
    ],
    [
      'too short a grace',
      (all) => Object.assign(routerOf(all), { terminationGracePeriodSeconds: 25 }),
      /is killed after 25 s/,
    ],
    [
      'no preStop of what has an HTTP API',
      (all) =>
        delete (
          podSpecOf(find(all, 'Deployment', 'ingress'))!.containers[0] as {
            -readonly [K in keyof Container]?: Container[K];
          }
        ).lifecycle,
      /needs preStop/,
    ],
    ['every right on a topic', (all) => aclsOf(all)[0]!.operations.push('All'), /every right/],
    ['rights on all topics', (all) => (aclsOf(all)[0]!.resource.name = '*'), /every right|not in the catalogue/],
    [
      'rights on a group that nobody is in',
      (all) => (aclsOf(all).find(({ resource }) => resource.type === 'group')!.resource.name = 'x'),
      /nobody is in/,
    ],
  ])('is found: %s', (_, spoil, message) => {
    const manifests = rendered();
    spoil(manifests);
    expect(findInconsistencies(manifests, facts).join('\n')).toMatch(message);
  });
});

function aclsOf(manifests: readonly Manifest[]) {
  const { spec } = find(manifests, 'KafkaUser', 'tributary-router');
  return (spec as { authorization: { acls: { resource: { type: string; name: string }; operations: string[] }[] } })
    .authorization.acls;
}
