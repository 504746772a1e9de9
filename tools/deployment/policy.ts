import { type Container, containersOf, labelOf, type Manifest, type PodSpec, podSpecOf } from './manifests.js';

/** Kinds of volumes that the restricted pod security standard allows. */
const allowedVolumes = new Set([
  'configMap',
  'csi',
  'downwardAPI',
  'emptyDir',
  'ephemeral',
  'image',
  'persistentVolumeClaim',
  'projected',
  'secret',
]);
const safeSysctls = new Set([
  'kernel.shm_rmid_forced',
  'net.ipv4.ip_local_port_range',
  'net.ipv4.ip_unprivileged_port_start',
  'net.ipv4.tcp_syncookies',
  'net.ipv4.ping_group_range',
]);

/**
 * What every pod of ours must be: the restricted pod security standard, and our own rules beyond it. One sentence for each violation, empty
 * when there is none.
 */
export function findPolicyProblems(manifests: readonly Manifest[]): string[] {
  return manifests.flatMap((manifest) => {
    const pod = podSpecOf(manifest);
    if (!pod) return [];
    const problems = [
      ...podProblems(pod),
      ...containersOf(pod).flatMap((one) => containerProblems(one, pod).map((problem) => `${one.name} ${problem}`)),
      ...accountProblems(pod, manifests),
      ...(manifest.kind === 'Deployment' ? deploymentProblems(manifest, pod, manifests) : []),
    ];
    return problems.map((problem) => `${labelOf(manifest)}: ${problem}`);
  });
}

function podProblems(pod: PodSpec): string[] {
  const { securityContext = {}, volumes = [] } = pod;
  return [
    ...(['hostNetwork', 'hostPID', 'hostIPC'] as const).filter((key) => pod[key]).map((key) => `${key} is set`),
    ...volumes.flatMap(({ name, ...kinds }) =>
      Object.keys(kinds)
        .filter((kind) => !allowedVolumes.has(kind))
        .map((kind) => `volume ${name} is a ${kind}`),
    ),
    ...(securityContext.sysctls ?? [])
      .filter(({ name }) => !safeSysctls.has(name))
      .map(({ name }) => `sysctl ${name} is not safe`),
  ];
}

function containerProblems(container: Container, pod: PodSpec): string[] {
  const own = container.securityContext ?? {};
  const inherited = { ...pod.securityContext, ...own };
  const requests = container.resources?.requests ?? {};
  return [
    ...when(inherited.runAsNonRoot !== true, 'may run as root: runAsNonRoot must be true'),
    ...when(inherited.runAsUser === 0, 'runs as root: runAsUser is 0'),
    ...when(!['RuntimeDefault', 'Localhost'].includes(inherited.seccompProfile?.type ?? ''), 'has no seccomp profile'),
    ...when(own.privileged === true, 'is privileged'),
    ...when(own.allowPrivilegeEscalation !== false, 'may escalate: allowPrivilegeEscalation must be false'),
    ...when(!own.capabilities?.drop?.includes('ALL'), 'keeps capabilities: drop must have ALL'),
    ...(own.capabilities?.add ?? []).filter((one) => one !== 'NET_BIND_SERVICE').map((one) => `adds capability ${one}`),
    ...when(own.procMount !== undefined && own.procMount !== 'Default', 'has a procMount of its own'),
    ...when(own.readOnlyRootFilesystem !== true, 'can write its file system: readOnlyRootFilesystem must be true'),
    ...when(!requests.cpu || !requests.memory, 'requests no CPU or no memory'),
    ...when(!container.resources?.limits?.memory, 'has no limit of memory'),
    ...(container.ports ?? []).filter(({ hostPort }) => hostPort).map(({ hostPort }) => `takes host port ${hostPort}`),
    ...when(
      !/(@sha256:[0-9a-f]{64}|:(?!latest$)[\w.-]+)$/.test(container.image),
      `has the image ${container.image}, which may change`,
    ),
    ...hostProblems(container),
  ];
}

// Refused by the restricted standard since Kubernetes 1.34: a probe could be made to call others.
function hostProblems({ startupProbe, livenessProbe, readinessProbe, lifecycle }: Container): string[] {
  const handlers = { startupProbe, livenessProbe, readinessProbe, preStop: lifecycle?.preStop };
  return Object.entries(handlers)
    .filter(([, handler]) => handler?.httpGet?.host !== undefined)
    .map(([name]) => `names a host in ${name}`);
}

function accountProblems(pod: PodSpec, manifests: readonly Manifest[]): string[] {
  const name = pod.serviceAccountName;
  const account = manifests.find(({ kind, metadata }) => kind === 'ServiceAccount' && metadata.name === name);
  return [
    ...when(pod.automountServiceAccountToken !== false, 'mounts a token: automountServiceAccountToken must be false'),
    ...when(!account, `uses the service account ${name}, which is not there`),
    ...when(account !== undefined && account.automountServiceAccountToken !== false, `${name} gives its token to pods`),
  ];
}

function deploymentProblems(manifest: Manifest, pod: PodSpec, manifests: readonly Manifest[]): string[] {
  const labels = (manifest.spec as { template: { metadata: { labels: Record<string, string> } } }).template.metadata
    .labels;
  const selects = (kind: string) => (other: Manifest) => other.kind === kind && covers(selectorOf(other), labels);
  const hasPolicies = manifests.some(({ kind }) => kind === 'NetworkPolicy');
  return [
    ...pod.containers.flatMap(probeProblems),
    ...when(!manifests.some(selects('PodDisruptionBudget')), 'has no PodDisruptionBudget'),
    ...when(hasPolicies && !manifests.some(selects('NetworkPolicy')), 'has no NetworkPolicy'),
    ...when((pod.topologySpreadConstraints ?? []).length === 0, 'may end up on one node: no topologySpreadConstraints'),
  ];
}

function probeProblems(container: Container): string[] {
  const { name, startupProbe, livenessProbe, readinessProbe } = container;
  const missing = Object.entries({ startupProbe, livenessProbe, readinessProbe }).filter(
    ([, probe]) => !probe?.httpGet,
  );
  return [
    ...missing.map(([probe]) => `${name} has no ${probe}`),
    // Restarting a process because Kafka is away would make an outage of ours out of theirs.
    ...when(
      livenessProbe?.httpGet?.path !== undefined && livenessProbe.httpGet.path === readinessProbe?.httpGet?.path,
      `${name} is restarted when it is not ready: liveness must ask another path`,
    ),
  ];
}

function selectorOf({ spec }: Manifest): Readonly<Record<string, string>> | undefined {
  const { selector, podSelector } = spec as Record<string, { matchLabels?: Record<string, string> } | undefined>;
  return (selector ?? podSelector)?.matchLabels;
}

const covers = (selector: Readonly<Record<string, string>> | undefined, labels: Readonly<Record<string, string>>) =>
  selector !== undefined && Object.entries(selector).every(([key, value]) => labels[key] === value);

const when = (isWrong: boolean, problem: string): string[] => (isWrong ? [problem] : []);
