import { platformSettings } from '@tributary/config';
import type { TopicDefinition } from '@tributary/contracts';
import { configsOf } from '@tributary/kafka';
import { registry } from '@tributary/registry';
import { allTopics } from '@tributary/registry/topics';
import { prometheusName } from '@tributary/telemetry';
import { type Places, readAppSettings } from '../generate/app-settings.js';
import { type Acl, autoscalerAcls, operatorAcls, setupAcls } from './acls.js';
import { type AccessOf, readAppAccess } from './app-access.js';
import { type ServiceFacts, servicesOf } from './services.js';

export interface TopicFacts {
  readonly name: string;
  readonly partitions: number;
  readonly configs: Readonly<Record<string, string>>;
}

/** Everything that the chart takes from the code. */
export interface ChartFacts {
  readonly services: Readonly<Record<string, ServiceFacts>>;
  readonly topics: readonly TopicFacts[];
  /** Identities that are no service. */
  readonly users: Readonly<Record<'setup' | 'autoscaler' | 'operator', readonly Acl[]>>;
  /** Prometheus' names of what scaling asks for. */
  readonly metrics: { readonly lagTime: string };
}

/** Apps that a deployment has; the sandbox plays the vendors and never belongs to one. */
export async function readChartFacts(places: Places): Promise<ChartFacts> {
  const declared = (await readAppSettings(places)).filter(({ isService }) => isService);
  const apps = await Promise.all(
    declared.map(async ({ app, settings }) => ({
      app,
      settings: { ...platformSettings, ...settings },
      accessOf: await readAppAccess(app, places),
    })),
  );
  const destinations = [...registry.destinations.values()];
  const services = servicesOf(apps, destinations);
  const accessOfApp = new Map<string, AccessOf>(apps.map(({ app, accessOf }) => [app, accessOf]));
  const accesses = Object.values(services).flatMap(({ app, destination }) => accessOfApp.get(app)?.(destination) ?? []);
  const topics = allTopics();
  return {
    services,
    topics: topics.map(topicFacts),
    users: {
      setup: setupAcls(topics),
      autoscaler: autoscalerAcls(accesses),
      operator: operatorAcls(topics, accesses),
    },
    metrics: { lagTime: prometheusName('unacknowledged.oldest.age') },
  };
}

// The number of replicas that must agree is the deployment's, as the number of replicas is.
function topicFacts(topic: TopicDefinition): TopicFacts {
  const { 'min.insync.replicas': _, ...configs } = configsOf(topic, 1);
  return { name: topic.name, partitions: topic.partitions, configs };
}
