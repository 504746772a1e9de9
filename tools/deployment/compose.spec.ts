import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { Ajv } from 'ajv';
import { describe, expect, it } from 'vitest';
import { parse } from 'yaml';
import { imagesOf } from '../image/tree.js';
import { readChartFacts } from './chart-facts.js';
import { replaceBlock } from './compose.js';

interface ComposeService {
  readonly image?: string;
  readonly build?: { readonly args: { readonly APP: string } };
  readonly environment?: Readonly<Record<string, string | null>>;
  readonly depends_on?: Readonly<Record<string, { readonly condition: string }>>;
  readonly healthcheck?: { readonly test: readonly string[] };
  readonly volumes?: readonly string[];
  readonly configs?: ReadonlyArray<{ readonly source: string }>;
  readonly networks?: readonly string[];
  readonly ports?: readonly string[];
  readonly profiles?: readonly string[];
  readonly stop_grace_period?: string;
  readonly read_only?: boolean;
}

interface Compose {
  readonly services: Readonly<Record<string, ComposeService>>;
  readonly volumes: object;
  readonly configs: object;
  readonly networks: object;
}

const root = join(import.meta.dirname, '../..');
const facts = await readChartFacts({ root, built: join(root, 'dist') });
const read = (file: string) => readFileSync(join(root, file), 'utf8');
const compose = parse(read('docker-compose.yml'), { merge: true }) as Compose;
const services = Object.entries(compose.services);
const ours = services.filter(([, { build }]) => build);
const running = ours.filter(([name]) => facts.services[name]);

describe('the compose file', () => {
  const schema = JSON.parse(read('k8s/schemas/compose-spec.json')) as object;
  const validate = new Ajv({ strict: false, validateFormats: false }).compile(schema);

  it('is what the specification of Compose allows', () => {
    expect(validate(compose), JSON.stringify(validate.errors)).toBe(true);
  });

  it.each([
    ['a misspelt key', { helthcheck: {} }],
    ['a condition that there is not', { depends_on: { kafka: { condition: 'service_ready' } } }],
  ])('would be refused with %s', (_, change) => {
    const services = { ...compose.services, router: { ...compose.services.router, ...change } };
    expect(validate({ ...compose, services })).toBe(false);
  });

  it('has every service of this build', () => {
    expect(running.map(([name]) => name).sort()).toEqual(Object.keys(facts.services).sort());
  });

  it('builds images that there are', () => {
    for (const [, { build }] of ours) expect(imagesOf(root)).toContain(build!.args.APP);
  });

  it('names nothing that is not there', () => {
    for (const [name, { depends_on = {}, volumes = [], configs = [], networks = [] }] of services) {
      const [kept, known] = [volumes.map((one) => one.split(':')[0]!), Object.keys(compose.volumes)];
      expect(known, name).toEqual(expect.arrayContaining(kept.filter((one) => !one.startsWith('./'))));
      expect(Object.keys(compose.services), name).toEqual(expect.arrayContaining(Object.keys(depends_on)));
      expect(Object.keys(compose.configs), name).toEqual(expect.arrayContaining(configs.map(({ source }) => source)));
      expect(Object.keys(compose.networks), name).toEqual(expect.arrayContaining([...networks]));
    }
  });

  it('waits for the health of what it needs, and knows it', () => {
    for (const [name, { depends_on = {} }] of services) {
      for (const [other, { condition }] of Object.entries(depends_on)) {
        if (condition === 'service_healthy')
          expect(compose.services[other]?.healthcheck, `${name} waits for ${other}`).toBeDefined();
      }
    }
  });

  it('opens ports on this machine alone', () => {
    for (const [name, { ports = [] }] of services)
      for (const port of ports) expect(port, name).toMatch(/^127\.0\.0\.1:/);
  });

  it('takes images that do not change by themselves', () => {
    for (const [, { image }] of services) if (image) expect(image).toMatch(/:(?!latest)[\w.-]+$/);
  });

  it('starts dashboards and traces only when asked', () => {
    const asked = services.filter(([, { profiles }]) => profiles?.includes('observability')).map(([name]) => name);
    expect(asked).toEqual(['prometheus', 'grafana', 'collector']);
  });
});

describe.each(running)('%s in the compose file', (name, service) => {
  const { settings, paths, port, stop } = facts.services[name]!;
  const given = Object.keys(service.environment ?? {});

  it('is given variables that it reads, and all it cannot do without', () => {
    const known = new Set(settings.map(({ variable }) => variable));
    // Of integrations/demo, and which key, URL and file belong to which service is one block for all.
    const shared = /^(DEMO_|SANDBOX_URL$|EGRESS_ALLOW$|TRIBUTARY_KEK_FILE$|LEDGER_KEYS_FILE$|AUDIT_SIGNING_KEY$)/;
    expect(given.filter((one) => !known.has(one) && !shared.test(one))).toEqual([]);
    expect(given).toEqual(
      expect.arrayContaining(settings.filter(({ required }) => required).map(({ variable }) => variable)),
    );
  });

  it('is asked for its readiness where it answers, and has time to stop', () => {
    expect(service.healthcheck?.test.join(' ')).toContain(`:${port}${paths.ready}'`);
    expect(Number.parseInt(service.stop_grace_period ?? '0', 10) * 1000).toBeGreaterThan(
      stop.shutdownMs + stop.marginMs,
    );
    expect(service.read_only).toBe(true);
  });
});

describe('a generated block', () => {
  const text = 'a:\n  # generated:x\n  old\n  # /generated:x\nb:\n';

  it('replaces what is between the markers, as far in as they are', () => {
    expect(replaceBlock(text, 'x', 'one:\n  two\n')).toBe(
      'a:\n  # generated:x\n  one:\n    two\n  # /generated:x\nb:\n',
    );
  });

  it.each(['', '# generated:x\n', '# /generated:x\n', text + text])('is refused with the markers of %j', (wrong) => {
    expect(() => replaceBlock(wrong, 'x', '')).toThrow('docker-compose.yml must hold');
  });
});
