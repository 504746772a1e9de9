import type { ServiceFacts } from './services.js';
import { asKubernetes, group, listOf, mapOf, oneOf, onOff, type ValueSchema, whole, word } from './value-kinds.js';

export interface ValueInputs {
  readonly services: Readonly<Record<string, ServiceFacts>>;
  readonly destinations: readonly string[];
  /** What each free variable means. */
  readonly help: ReadonlyMap<string, string>;
}

/** Every value of the chart: `values.yaml`, its schema and the table of the README are made from this. */
export function chartValues(inputs: ValueInputs): ValueSchema {
  return group('Values of the Tributary chart.', {
    image,
    kafka,
    registry,
    secrets,
    destinations: {
      ...listOf('Destinations to run a connector for; empty: all of this release.', {
        type: 'string',
        description: 'Slug of a destination.',
        enum: inputs.destinations,
      }),
      uniqueItems: true,
    },
    settings: settingsFor(
      'Settings of every service, by variable.',
      freeVariables(Object.values(inputs.services)),
      inputs,
    ),
    defaults: group(
      'What every service has unless it says otherwise under `services`.',
      workload({
        cpu: '100m',
        memory: '192Mi',
        limit: '512Mi',
        minReplicas: 2,
        maxReplicas: 6,
      }),
    ),
    services: {
      ...group(
        'Exceptions, by service: any key of `defaults`, and settings of its own.',
        Object.fromEntries(
          Object.entries(inputs.services).map(([name, facts]) => [name, exceptionOf(name, facts, inputs)]),
        ),
      ),
      default: {},
    },
    ingress,
    scaling,
    jobs,
    operator,
    strimzi,
    networkPolicy,
    monitoring,
    integrations: {
      ...mapOf('Connections, subscriptions and API keys: file name to YAML text. Applied by a Job when it changes.', {
        type: 'string',
        description: 'An integration file, as `tributary apply` reads it.',
      }),
    },
    externalSecrets,
    namespace,
    commonLabels: mapOf('Labels of every object.', { type: 'string', description: 'Label value.' }),
  });
}

const image = group('Where the images are. There is one for each app, and `cli` for the Jobs.', {
  registry: word('Host and path before the name of the image.', 'registry.example.com/tributary'),
  prefix: word('Put before the name of the app.', 'tributary-'),
  tag: word("Empty: the chart's appVersion.", ''),
  digests: mapOf('Digest by app (`sha256:...`); it wins over the tag. Pin production.', {
    type: 'string',
    description: 'Digest.',
    pattern: '^sha256:[0-9a-f]{64}$',
  }),
  pullPolicy: oneOf('When to pull.', ['IfNotPresent', 'Always', 'Never'], 'IfNotPresent'),
  pullSecrets: listOf('Names of Secrets for the registry.', { type: 'string', description: 'Name of a Secret.' }),
});

const kafka = group('The cluster that carries everything.', {
  brokers: word('host:port, separated by commas.', 'tributary-kafka-bootstrap:9092', '.+:[0-9]+'),
  tls: onOff('Whether brokers are spoken to over TLS.', false),
  caSecret: word(
    'Secret with the CA of the brokers; empty: the public ones. Strimzi: `<cluster>-cluster-ca-cert`.',
    '',
  ),
  caKey: word('Key in it.', 'ca.crt'),
  authentication: oneOf(
    'How services identify themselves; `tls` is a client certificate.',
    ['none', 'plain', 'scram-sha-256', 'scram-sha-512', 'tls'],
    'none',
  ),
  userPrefix: word(
    'User, and its Secret, of a service: this before its name. As Strimzi makes them: key `password`, or `user.crt` and `user.key`.',
    'tributary-',
  ),
  sharedSecret: word(
    'One Secret for all services instead, with `username` and `password`, or `user.crt` and `user.key`. Then least privilege is lost.',
    '',
  ),
});

const registry = group('The schema registry.', {
  url: word('Base address (Confluent API).', 'http://tributary-registry:8080/apis/ccompat/v7', '^https?://'),
});

const secrets = group('Secrets that must exist. The chart never holds one.', {
  database: word(
    'Secret with DATABASE_URL and, where data keys have a server of their own, KEYS_DATABASE_URL.',
    'tributary-database',
  ),
  databasePrefix: word(
    "Secret of each service that needs tables: this before its name. `secrets.database` is then the owner's, for the migration, which gives the roles their rights, and the command line. Empty: one login for all.",
    '',
  ),
  keys: word(
    'Secret with the files `kek` (key of sealed secrets), `ledger` (keys of the ledger) and `audit` (signs checkpoints). Each service is given those it reads.',
    'tributary-keys',
  ),
  other: word('Secret for every other secret setting, under the name of its variable; empty: none is set.', ''),
  integrations: word(
    'Secret whose files connections refer to as `file:/run/secrets/integrations/<key>`; empty: none. Read again when it changes.',
    '',
  ),
});

interface WorkloadDefaults {
  readonly cpu: string;
  readonly memory: string;
  readonly limit: string;
  readonly minReplicas: number;
  readonly maxReplicas: number;
}

function workload({ cpu, memory, limit, minReplicas, maxReplicas }: WorkloadDefaults): Record<string, ValueSchema> {
  return {
    enabled: onOff('Whether it runs at all.', true),
    replicas: whole('How many run where nothing scales them.', minReplicas),
    scaling: group('Between how many it is scaled. Consumers never get more than their topics have partitions.', {
      min: whole('At least; below 1 a group that never committed would not start.', minReplicas, 1),
      max: whole('At most.', maxReplicas, 1),
      lag: whole('Waiting records for each process of a consumer.', 1_000, 1),
      lagSeconds: whole('Age of the oldest waiting record for each process of a consumer, in seconds.', 60, 1),
      cpu: whole('Use of the requested CPU, in percent, of what answers requests.', 70, 1),
    }),
    resources: asKubernetes('Requests, and a limit of memory. A limit of CPU would throttle bursts.', {
      requests: { cpu, memory },
      limits: { memory: limit },
    }),
    podAnnotations: mapOf('Annotations of the pods.', { type: 'string', description: 'Annotation value.' }),
    nodeSelector: mapOf('Where the pods may run.', { type: 'string', description: 'Label value.' }),
    tolerations: asKubernetes('Taints that the pods tolerate.', []),
    affinity: asKubernetes('Affinity of the pods.'),
    priorityClassName: word('Priority class of the pods; empty: none.', ''),
    volumes: asKubernetes('More volumes of the pods.', []),
    volumeMounts: asKubernetes('More mounts of the container.', []),
  };
}

function exceptionOf(name: string, facts: ServiceFacts, inputs: ValueInputs): ValueSchema {
  const keys = workload({ cpu: '', memory: '', limit: '', minReplicas: 0, maxReplicas: 0 });
  const withoutDefaults = Object.fromEntries(Object.entries(keys).map(([key, one]) => [key, bare(one)]));
  return group(`Exceptions of ${name}.`, {
    ...withoutDefaults,
    settings: bare(settingsFor(`Settings of ${name}, by variable.`, freeVariables([facts]), inputs)),
  });
}

function bare(schema: ValueSchema): ValueSchema {
  const { default: _, properties, ...rest } = schema;
  if (!properties) return rest;
  return { ...rest, properties: Object.fromEntries(Object.entries(properties).map(([key, one]) => [key, bare(one)])) };
}

const freeVariables = (services: readonly ServiceFacts[]): string[] => {
  const names = services.flatMap(({ settings }) => settings.filter(({ from }) => from === 'value'));
  return [...new Set(names.map(({ variable }) => variable))].sort();
};

function settingsFor(description: string, variables: readonly string[], { help }: ValueInputs): ValueSchema {
  const type = ['string', 'number', 'boolean'];
  return {
    type: 'object',
    description: `${description} A misspelt one is refused.`,
    default: {},
    properties: Object.fromEntries(variables.map((name) => [name, { type, description: help.get(name) ?? name }])),
    additionalProperties: false,
  };
}

const ingress = group('How webhooks and the publish API come in. TLS ends before the pods.', {
  host: word('Host name; empty: any.', ''),
  gateway: group('Gateway API.', {
    enabled: onOff('Makes an HTTPRoute.', false),
    name: word('Gateway it attaches to.', 'public'),
    namespace: word('Namespace of the Gateway; empty: the same.', ''),
    sectionName: word('Listener of the Gateway; empty: all.', ''),
  }),
  classic: group('Ingress, for clusters without a Gateway.', {
    enabled: onOff('Makes an Ingress.', false),
    className: word('Class.', ''),
    annotations: mapOf('Annotations.', { type: 'string', description: 'Annotation value.' }),
    tlsSecret: word('Secret with the certificate; empty: no TLS at the Ingress.', ''),
  }),
});

const scaling = group('What scales services.', {
  keda: onOff('ScaledObjects (KEDA) for consumers: by lag. Without, consumers have `replicas` processes.', false),
  cpu: onOff('HorizontalPodAutoscalers for what answers requests: by CPU.', true),
  prometheus: word('Address of Prometheus for the trigger on the age of what waits; empty: no such trigger.', ''),
  pollingInterval: whole('Seconds between two looks at the lag.', 15, 1),
  cooldownPeriod: whole('Seconds of quiet before processes are taken away.', 300),
});

const jobs = group('What runs when a release is installed or upgraded.', {
  migrate: onOff('Brings the tables up to date. Pods that need them wait for it.', true),
  topics: onOff('Creates missing topics, unless Strimzi does, and registers missing schemas.', true),
  partitions: whole(
    'Partitions of new topics that may have several; 0: as the release says. A topic keeps what it has.',
    0,
  ),
  replication: whole('Replicas of new topics.', 3, 1),
  waitSeconds: whole('How long a new pod waits for the tables before it is started again.', 600, 1),
  keepSeconds: whole('How long a finished Job can be looked at.', 86_400),
});

const operator = group('The command line within the cluster, for whoever is on call.', {
  enabled: onOff('Makes a suspended CronJob to make Jobs of, with an identity, rights and network of its own.', true),
  seconds: whole('How long such a Job stays; then it ends by itself.', 14_400, 60),
});

const strimzi = group('Objects for a Kafka cluster that Strimzi runs.', {
  cluster: word('Name of the Kafka object.', 'tributary'),
  namespace: word('Namespace of it, where the operators look; empty: the same.', ''),
  topics: onOff('Makes a KafkaTopic for each topic.', false),
  users: onOff('Makes a KafkaUser for each service, with the rights it needs and no others.', false),
});

const peers = (what: string): ValueSchema =>
  asKubernetes(`Peers (as in a NetworkPolicy) of ${what}; empty: any address, on its port alone.`, []);

const networkPolicy = group('Who may speak to whom. Everything else is refused, both ways.', {
  enabled: onOff('Makes NetworkPolicies.', true),
  kafka: group('Brokers.', { port: whole('Port.', 9092, 1), to: peers('the brokers') }),
  registry: group('Schema registry.', { port: whole('Port.', 8080, 1), to: peers('the registry') }),
  database: group('PostgreSQL.', { port: whole('Port.', 5432, 1), to: peers('PostgreSQL') }),
  telemetry: group('Collector of traces.', { port: whole('Port.', 4318, 1), to: peers('the collector') }),
  clients: peers('who may call ingress and the console'),
  monitoring: peers('who may scrape'),
  privateNetworks: listOf(
    'Never reached by connectors, whatever a connection says: private, link-local and shared ranges.',
    { type: 'string', description: 'CIDR.' },
    ['10.0.0.0/8', '172.16.0.0/12', '192.168.0.0/16', '169.254.0.0/16', '100.64.0.0/10', '127.0.0.0/8'],
  ),
});

const monitoring = group('Prometheus, Grafana and traces.', {
  serviceMonitor: onOff('Makes a ServiceMonitor for each service.', false),
  prometheusRule: onOff('Makes a PrometheusRule of the recording rules and alerts.', false),
  dashboards: onOff('Makes a ConfigMap for each Grafana dashboard.', false),
  labels: mapOf('Labels that the operator selects ServiceMonitors and rules by.', {
    type: 'string',
    description: 'Label value.',
  }),
  interval: word('Between two scrapes.', '30s', '^[0-9]+(ms|s|m)$'),
  otlpEndpoint: word('Where traces go (OTLP over HTTP); empty: nowhere.', ''),
});

const externalSecrets = group(
  'Fills the Secrets above from a store, by the External Secrets operator. An example to start from.',
  {
    enabled: onOff('Makes ExternalSecrets.', false),
    storeName: word('Store.', 'vault'),
    storeKind: oneOf('Its kind.', ['ClusterSecretStore', 'SecretStore'], 'ClusterSecretStore'),
    path: word('Where the values are in the store; the name of the Secret is appended.', 'tributary'),
    refreshInterval: word('How often they are read anew.', '1h', '^[0-9]+(s|m|h)$'),
  },
);

const namespace = group('The namespace of the release.', {
  create: onOff('Makes it, with the label that enforces the restricted pod security standard.', false),
});
