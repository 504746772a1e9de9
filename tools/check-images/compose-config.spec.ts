import { describe, expect, it } from 'vitest';
import { findComposeProblems, type ResolvedProject, type ResolvedService } from './compose-config.js';

const router: ResolvedService = {
  build: { args: { APP: 'router' } },
  environment: { KAFKA_BROKERS: 'kafka:19092' },
  depends_on: { kafka: { condition: 'service_healthy' }, setup: { condition: 'service_completed_successfully' } },
  healthcheck: { test: ['CMD', 'node'], timeout: '4s' },
  ports: [{ host_ip: '127.0.0.1', published: '8080', target: 8080 }],
  volumes: [{ type: 'bind', source: '/there' }],
};
const services = {
  router,
  kafka: { healthcheck: { test: ['CMD', 'x'] } },
  setup: { build: {}, restart: 'no' },
} satisfies ResolvedProject['services'];
const expectation = {
  services: { router: { variables: ['KAFKA_BROKERS'] }, kafka: { variables: [] }, setup: { variables: [] } },
  doesExist: (path: string) => path === '/there',
};

describe('a resolved project', () => {
  it('is as it should be', () => {
    expect(findComposeProblems({ services }, expectation)).toEqual([]);
  });

  it.each<[string, Partial<ResolvedProject['services']>, string]>([
    ['a service too many', { other: {} }, 'other is in the project, and should not be'],
    [
      'a variable that a merge has lost',
      { router: { ...router, environment: {} } },
      'router is not given KAFKA_BROKERS',
    ],
    [
      'a variable without a value',
      { router: { ...router, environment: { KAFKA_BROKERS: null } } },
      'router is not given KAFKA_BROKERS',
    ],
    ['health that nobody checks', { kafka: {} }, 'router waits for the health of kafka, which has no check'],
    [
      'an end that never comes',
      { setup: { build: {}, restart: 'always', healthcheck: { test: ['x'], timeout: '1s' } } },
      'router waits for the end of setup, which is started again',
    ],
    [
      'a dependency of another profile',
      { router: { ...router, depends_on: { grafana: { condition: 'service_started' } } } },
      'router waits for grafana, which is not in the project',
    ],
    ['no health check', { router: { build: {}, environment: { KAFKA_BROKERS: 'x' } } }, 'router has no health check'],
    [
      'a health check that may hang',
      { router: { ...router, healthcheck: { test: ['x'] } } },
      'router has a health check without a timeout',
    ],
    [
      'a port for everybody',
      { router: { ...router, ports: [{ target: 8080, published: '8080' }] } },
      'router opens 8080 to the network',
    ],
    [
      'a folder that is not there',
      { router: { ...router, volumes: [{ type: 'bind', source: '/gone' }] } },
      'router mounts /gone, which is not there',
    ],
  ])('is refused with %s', (_, change, problem) => {
    const changed = { ...services, ...change } as ResolvedProject['services'];
    expect(findComposeProblems({ services: changed }, expectation)).toEqual([problem]);
  });

  it('is refused without a service of the code', () => {
    const { setup: _, ...others } = services;
    expect(findComposeProblems({ services: others }, expectation)).toEqual([
      'setup is not in the project',
      'router waits for setup, which is not in the project',
    ]);
  });
});
