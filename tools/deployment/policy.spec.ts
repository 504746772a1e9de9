import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { type Container, type Manifest, type PodSpec, parseManifests, podSpecOf } from './manifests.js';
import { findPolicyProblems } from './policy.js';

const base = join(import.meta.dirname, '../../k8s/kustomize/base/tributary.yaml');
const rendered = () => parseManifests(readFileSync(base, 'utf8'), base);

type Writable<T> = { -readonly [K in keyof T]: T[K] extends object | undefined ? Writable<T[K]> : T[K] };

interface Ground {
  readonly manifests: Manifest[];
  readonly pod: Writable<PodSpec>;
  readonly container: Writable<Container>;
}

/** The rendered base, and the pod of its router to spoil. */
function ground(): Ground {
  const manifests = rendered();
  const router = manifests.find(({ kind, metadata }) => kind === 'Deployment' && metadata.name === 'router')!;
  const pod = podSpecOf(router) as Writable<PodSpec>;
  return { manifests, pod, container: pod.containers[0] as Writable<Container> };
}

const security = (container: Writable<Container>) => container.securityContext as Record<string, unknown>;

function remove(manifests: Manifest[], kind: string, name = 'router'): void {
  const at = manifests.findIndex((one) => one.kind === kind && one.metadata.name === name);
  manifests.splice(at, 1);
}

describe('the rendered base', () => {
  it('keeps every rule', () => {
    expect(findPolicyProblems(rendered())).toEqual([]);
  });

  it('has something to keep them in', () => {
    expect(rendered().filter(podSpecOf).length).toBeGreaterThan(6);
  });
});

describe('the rules', () => {
  it.each<[string, (at: Ground) => unknown, RegExp]>([
    ['the network of the node', ({ pod }) => (pod.hostNetwork = true), /hostNetwork is set/],
    ['the processes of the node', ({ pod }) => (pod.hostPID = true), /hostPID is set/],
    ['the memory of the node', ({ pod }) => (pod.hostIPC = true), /hostIPC is set/],
    [
      'a path of the node',
      ({ pod }) => (pod.volumes as unknown[]).push({ name: 'x', hostPath: { path: '/' } }),
      /x is a hostPath/,
    ],
    ['an NFS volume', ({ pod }) => (pod.volumes as unknown[]).push({ name: 'x', nfs: {} }), /x is a nfs/],
    [
      'an unsafe sysctl',
      ({ pod }) => Object.assign(pod.securityContext!, { sysctls: [{ name: 'kernel.msgmax' }] }),
      /kernel\.msgmax/,
    ],
    [
      'a pod that may be root',
      ({ pod }) => Object.assign(pod.securityContext!, { runAsNonRoot: false }),
      /may run as root/,
    ],
    ['a container that may be root', ({ container }) => (security(container).runAsNonRoot = false), /may run as root/],
    ['user 0', ({ container }) => (security(container).runAsUser = 0), /runAsUser is 0/],
    [
      'no seccomp profile',
      ({ pod }) => delete (pod.securityContext as Record<string, unknown>).seccompProfile,
      /no seccomp/,
    ],
    [
      'an unconfined profile',
      ({ container }) => (security(container).seccompProfile = { type: 'Unconfined' }),
      /no seccomp/,
    ],
    ['a privileged container', ({ container }) => (security(container).privileged = true), /is privileged/],
    ['escalation left out', ({ container }) => delete security(container).allowPrivilegeEscalation, /may escalate/],
    [
      'capabilities kept',
      ({ container }) => (security(container).capabilities = { drop: ['NET_RAW'] }),
      /keeps capabilities/,
    ],
    [
      'a capability added',
      ({ container }) => (security(container).capabilities = { drop: ['ALL'], add: ['SYS_TIME'] }),
      /adds capability SYS_TIME/,
    ],
    ['an own procMount', ({ container }) => (security(container).procMount = 'Unmasked'), /procMount/],
    [
      'a file system to write',
      ({ container }) => (security(container).readOnlyRootFilesystem = false),
      /can write its file system/,
    ],
    [
      'no request',
      ({ container }) => delete (container.resources as Record<string, unknown>).requests,
      /requests no CPU/,
    ],
    ['no limit of memory', ({ container }) => (container.resources!.limits = { cpu: '1' }), /no limit of memory/],
    [
      'a port of the node',
      ({ container }) => (container.ports = [{ containerPort: 1, hostPort: 80 }]),
      /takes host port 80/,
    ],
    ['the image latest', ({ container }) => (container.image = 'a/router:latest'), /may change/],
    ['an image without a tag', ({ container }) => (container.image = 'a:5000/router'), /may change/],
    [
      'a probe of another host',
      ({ container }) => (container.readinessProbe!.httpGet!.host = '10.0.0.1'),
      /names a host in readinessProbe/,
    ],
    ['no startup probe', ({ container }) => delete container.startupProbe, /no startupProbe/],
    ['no liveness probe', ({ container }) => delete container.livenessProbe, /no livenessProbe/],
    ['no readiness probe', ({ container }) => delete container.readinessProbe, /no readinessProbe/],
    [
      'liveness that asks for readiness',
      ({ container }) => (container.livenessProbe = container.readinessProbe!),
      /restarted when it is not ready/,
    ],
    ['a token in the pod', ({ pod }) => delete pod.automountServiceAccountToken, /mounts a token/],
    [
      'no service account',
      ({ manifests }) => remove(manifests, 'ServiceAccount'),
      /service account router, which is not there/,
    ],
    ['no disruption budget', ({ manifests }) => remove(manifests, 'PodDisruptionBudget'), /no PodDisruptionBudget/],
    ['one node for all', ({ pod }) => delete pod.topologySpreadConstraints, /may end up on one node/],
  ])('refuse %s', (_, spoil, message) => {
    const at = ground();
    spoil(at);
    const problems = findPolicyProblems(at.manifests);
    expect(problems).toEqual([expect.stringMatching(message)]);
    expect(problems[0]).toMatch(/^Deployment\/router: /);
  });

  it('refuse what is wrong in a Job, and in what runs before a service', () => {
    const manifests = rendered();
    const pods = manifests.flatMap((one) => podSpecOf(one) ?? []);
    const job = manifests.find(({ kind }) => kind === 'Job')!;
    security(podSpecOf(job)!.containers[0] as Writable<Container>).privileged = true;
    const waiting = pods.find(({ initContainers }) => initContainers?.[0]?.name === 'wait-for-tables');
    security(waiting!.initContainers![0] as Writable<Container>).readOnlyRootFilesystem = false;
    expect(findPolicyProblems(manifests)).toEqual(
      expect.arrayContaining([
        expect.stringMatching(/^Job\/.*is privileged/),
        expect.stringMatching(/wait-for-tables can write/),
      ]),
    );
  });

  it('refuse a service that no network policy speaks of', () => {
    const { manifests } = ground();
    remove(manifests, 'NetworkPolicy');
    remove(manifests, 'NetworkPolicy', 'tributary-default-deny');
    expect(findPolicyProblems(manifests)).toEqual(['Deployment/router: has no NetworkPolicy']);
  });
});

describe('manifests', () => {
  it.each([
    ['no YAML', 'kind: [', /origin/],
    ['no name', 'kind: Pod\napiVersion: v1\nmetadata: {}', /without a kind or a name/],
    ['no kind', 'metadata: { name: a }', /without a kind or a name/],
  ])('with %s are refused', (_, text, message) => {
    expect(() => parseManifests(text, 'origin')).toThrow(message);
  });
});
