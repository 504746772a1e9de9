import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { type Manifest, parseManifests } from './manifests.js';

const kustomize = join(import.meta.dirname, '../../k8s/kustomize');
const places = ['base', 'components/gateway', 'components/keda', 'components/monitoring', 'components/strimzi'];
const rendered = places.flatMap((place) => {
  const file = join(kustomize, place, 'tributary.yaml');
  return parseManifests(readFileSync(file, 'utf8'), file);
});
const ofKind = (...kinds: string[]): Manifest[] => rendered.filter(({ kind }) => kinds.includes(kind));

interface RouteSpec {
  readonly rules: readonly {
    readonly matches?: readonly { readonly path: { readonly type: string; readonly value: string } }[];
    readonly backendRefs: readonly { readonly name: string }[];
  }[];
}

describe('what of a deployment is public', () => {
  it('is two paths of ingress and nothing else', () => {
    const routes = ofKind('HTTPRoute', 'Ingress');
    expect(routes).toHaveLength(1);
    const { rules } = routes[0]!.spec as RouteSpec;
    const open = rules.flatMap(({ matches = [{ path: { type: 'PathPrefix', value: '/' } }], backendRefs }) =>
      matches.flatMap(({ path }) => backendRefs.map(({ name }) => [name, path.type, path.value])),
    );
    expect(open).toEqual([
      ['ingress', 'PathPrefix', '/webhooks'],
      ['ingress', 'PathPrefix', '/v1/events'],
    ]);
  });

  it('is no Service by itself', () => {
    const services = ofKind('Service');
    expect(services.length).toBeGreaterThan(6);
    for (const { metadata, spec } of services)
      expect([metadata.name, (spec as { type?: string }).type ?? 'ClusterIP']).toEqual([metadata.name, 'ClusterIP']);
  });

  it('has two templates in the chart that could open more, and both read one list', () => {
    const template = readFileSync(join(kustomize, '../chart/tributary/templates/routes.yaml'), 'utf8');
    expect(template.match(/list "[^\n]*/g)).toEqual(['list "/webhooks" "/v1/events" }}']);
    expect(template.match(/(?:value|path): ["/]\S*/g)).toBeNull();
    expect(template.match(/range \$paths/g)).toHaveLength(2);
  });
});
