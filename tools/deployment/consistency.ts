import type { ChartFacts } from './chart-facts.js';
import { type Container, labelOf, type Manifest, type PodSpec, podSpecOf } from './manifests.js';
import type { ServiceFacts } from './services.js';

/**
 * What a set of manifests says about us that the code does not: services, variables, ports, probes, topics, groups, metrics. One sentence for
 * each. Whoever renames something in the code sees here what else to rename.
 */
export function findInconsistencies(manifests: readonly Manifest[], facts: ChartFacts): string[] {
  return manifests.flatMap((manifest) =>
    problemsOf(manifest, facts).map((problem) => `${labelOf(manifest)}: ${problem}`),
  );
}

function problemsOf(manifest: Manifest, facts: ChartFacts): string[] {
  switch (manifest.kind) {
    case 'Deployment':
      return deployment(manifest, facts);
    case 'Job':
    case 'CronJob':
      return job(podSpecOf(manifest));
    case 'KafkaTopic':
      return kafkaTopic(manifest, facts);
    case 'KafkaUser':
      return kafkaUser(manifest, facts);
    case 'ScaledObject':
      return scaledObject(manifest, facts);
    case 'HorizontalPodAutoscaler':
      return knownService((manifest.spec as { scaleTargetRef: { name: string } }).scaleTargetRef.name, facts);
    case 'ServiceMonitor':
      return serviceMonitor(manifest, facts);
    case 'Service':
      return knownService(manifest.metadata.name, facts);
    default:
      return [];
  }
}

function knownService(name: string, { services }: ChartFacts): string[] {
  return services[name] ? [] : [`${name} is no service of this build; there are ${Object.keys(services).join(', ')}`];
}

function deployment(manifest: Manifest, facts: ChartFacts): string[] {
  const service = facts.services[manifest.metadata.name];
  const pod = podSpecOf(manifest);
  const [container] = pod?.containers ?? [];
  if (!service || !pod || !container) return knownService(manifest.metadata.name, facts);
  return [
    ...variableProblems(container, service),
    ...imageProblems(container, service.app),
    ...portProblems(container, service),
    ...graceProblems(pod, container, service),
  ];
}

function variableProblems({ env = [] }: Container, { settings }: ServiceFacts): string[] {
  const known = new Map(settings.map((setting) => [setting.variable, setting]));
  const given = new Set(env.map(({ name }) => name));
  return [
    ...env.filter(({ name }) => !known.has(name)).map(({ name }) => `gives ${name}, which the app does not read`),
    ...settings
      .filter(({ variable, required }) => required && !given.has(variable))
      .map(({ variable }) => `does not give ${variable}, without which the app does not start`),
    ...env
      .filter(({ name, value }) => known.get(name)?.secret === true && value !== undefined)
      .map(({ name }) => `has the secret ${name} in plain text`),
  ];
}

const imageProblems = ({ image }: Container, app: string): string[] =>
  image.split('/').at(-1)?.split(/[@:]/)[0]?.endsWith(app) ? [] : [`runs ${image}, which is not the image of ${app}`];

function portProblems(container: Container, { port, paths }: ServiceFacts): string[] {
  const given = container.env?.find(({ name }) => name === 'PORT')?.value ?? String(port);
  const opened = container.ports?.map(({ containerPort }) => String(containerPort)) ?? [];
  const probes = {
    startupProbe: paths.live,
    livenessProbe: paths.live,
    readinessProbe: paths.ready,
  } as const;
  return [
    ...(opened.includes(given) ? [] : [`listens on ${given} and names the ports ${opened.join(', ')}`]),
    ...Object.entries(probes).flatMap(([probe, path]) => {
      const asked = container[probe as keyof typeof probes]?.httpGet?.path;
      return asked === path ? [] : [`${probe} asks ${asked}, and the code answers at ${path}`];
    }),
  ];
}

/** The clock starts with preStop: what follows must have its whole time. */
function graceProblems(pod: PodSpec, container: Container, { stop, kind }: ServiceFacts): string[] {
  const preStop = container.lifecycle?.preStop?.sleep?.seconds ?? 0;
  const shutdownMs = Number(container.env?.find(({ name }) => name === 'SHUTDOWN_MS')?.value ?? stop.shutdownMs);
  const needed = preStop + (shutdownMs + stop.marginMs) / 1000;
  const grace = pod.terminationGracePeriodSeconds ?? 30;
  return [
    ...(grace > needed ? [] : [`is killed after ${grace} s, and may take ${needed} s to stop`]),
    ...(kind === 'http' && preStop === 0 ? ['gets requests while it stops: it needs preStop.sleep'] : []),
  ];
}

function job(pod: PodSpec | undefined): string[] {
  return [...(pod?.initContainers ?? []), ...(pod?.containers ?? [])].flatMap((one) => imageProblems(one, 'cli'));
}

function kafkaTopic({ spec }: Manifest, { topics }: ChartFacts): string[] {
  const { topicName, config } = spec as { topicName: string; config: Record<string, string> };
  const topic = topics.find(({ name }) => name === topicName);
  if (!topic) return [`${topicName} is not in the catalogue`];
  return Object.entries(topic.configs)
    .filter(([key, value]) => config[key] !== value)
    .map(([key, value]) => `${key} is ${config[key]}, the catalogue says ${value}`);
}

function kafkaUser({ spec }: Manifest, facts: ChartFacts): string[] {
  const { authorization } = spec as {
    authorization: { acls: { resource: { type: string; name: string; patternType: string }; operations: string[] }[] };
  };
  const topics = new Set(facts.topics.map(({ name }) => name));
  const groups = groupsOf(facts);
  return authorization.acls.flatMap(({ resource: { type, name, patternType }, operations }) => [
    ...(type === 'topic' && !topics.has(name)
      ? [`has rights on the topic ${name}, which is not in the catalogue`]
      : []),
    ...(type === 'group' && patternType === 'literal' && !groups.has(name)
      ? [`has rights on the group ${name}, which nobody is in`]
      : []),
    ...(name === '*' || operations.includes('All') ? [`has every right on ${type} ${name}`] : []),
  ]);
}

function scaledObject({ spec }: Manifest, facts: ChartFacts): string[] {
  const { scaleTargetRef, maxReplicaCount, triggers } = spec as {
    scaleTargetRef: { name: string };
    maxReplicaCount: number;
    triggers: { type: string; metadata: Record<string, string> }[];
  };
  const service = facts.services[scaleTargetRef.name];
  if (!service?.consumes) return [`scales ${scaleTargetRef.name}, which consumes nothing`];
  const { group, topics } = service.consumes;
  return triggers.flatMap(({ type, metadata: { consumerGroup, topic, query = '', version } }) => [
    ...(type === 'kafka' && consumerGroup !== group
      ? [`looks at the group ${consumerGroup}, and the service is in ${group}`]
      : []),
    ...(type === 'kafka' && topic !== undefined && !topics.includes(topic)
      ? [`looks at ${topic}, which the service does not read`]
      : []),
    ...(type === 'kafka' && !version ? ['has no version: the scaler would speak a protocol that brokers dropped'] : []),
    ...(type === 'prometheus' && !query.includes(`${facts.metrics.lagTime}{`)
      ? [`asks for a metric that is not ${facts.metrics.lagTime}`]
      : []),
    ...(maxReplicaCount >= 1 ? [] : ['may scale to nothing']),
  ]);
}

function serviceMonitor(manifest: Manifest, facts: ChartFacts): string[] {
  const path = (manifest.spec as { endpoints: { path: string }[] }).endpoints[0]?.path;
  const service = facts.services[manifest.metadata.name];
  if (!service) return knownService(manifest.metadata.name, facts);
  return path === service.paths.metrics ? [] : [`scrapes ${path}, and the code answers at ${service.paths.metrics}`];
}

const groupsOf = ({ services }: ChartFacts): Set<string> =>
  new Set(Object.values(services).flatMap(({ consumes }) => (consumes ? [consumes.group] : [])));
