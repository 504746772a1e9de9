import type { Setting } from '@tributary/config';
import type { DestinationDefinition } from '@tributary/connector-kit';
import type { TopicAccess } from '@tributary/contracts';
import { healthPaths, stopMarginMs } from '@tributary/runtime';
import { type Acl, aclsOf } from './acls.js';
import type { AccessOf } from './app-access.js';
import { type Origin, originOf } from './wiring.js';

type Settings = Readonly<Record<string, Setting<unknown>>>;

export interface AppFacts {
  readonly app: string;
  /** Those of every service included. */
  readonly settings: Settings;
  readonly accessOf: AccessOf;
}

export interface SettingFacts {
  readonly variable: string;
  readonly from: Origin;
  readonly required: boolean;
  readonly secret: boolean;
}

/** One Deployment, as the code knows it. Nothing here is a choice of whoever deploys. */
export interface ServiceFacts {
  readonly app: string;
  readonly destination?: string;
  /** How it is scaled and stopped: by requests, or by what waits in its topics. */
  readonly kind: 'http' | 'consumer';
  readonly port: number;
  readonly paths: typeof healthPaths;
  readonly stop: { readonly shutdownMs: number; readonly marginMs: number };
  readonly consumes?: {
    readonly group: string;
    readonly topics: readonly string[];
    /** The one topic whose lag says it all; absent where several topics are equals. */
    readonly lagTopic?: string;
    /** More processes than that stand idle. */
    readonly partitions: number;
  };
  readonly needs: {
    readonly database: boolean;
    /** It calls addresses that connections name. */
    readonly internet: boolean;
    readonly keys: readonly string[];
  };
  readonly settings: readonly SettingFacts[];
  readonly acls: readonly Acl[];
}

/** File of each key in the Secret of keys, by the setting that names it. */
const keyFiles: Readonly<Record<string, string>> = {
  TRIBUTARY_KEK_FILE: 'kek',
  LEDGER_KEYS_FILE: 'ledger',
  AUDIT_SIGNING_KEY: 'audit',
};

/** By the name of the Deployment, which is the name of the consumer group as well. */
export function servicesOf(
  apps: readonly AppFacts[],
  destinations: readonly DestinationDefinition[],
): Record<string, ServiceFacts> {
  const services = apps.flatMap((app): [string, ServiceFacts][] =>
    isPerDestination(app)
      ? destinations.map((destination) => [`${app.app}-${destination.slug}`, serviceOf(app, destination)])
      : [[app.app, serviceOf(app)]],
  );
  return Object.fromEntries(services.sort(([a], [b]) => (a < b ? -1 : 1)));
}

const isPerDestination = ({ settings }: AppFacts): boolean =>
  Object.values(settings).some(({ variable }) => variable === 'DESTINATION');

function serviceOf({ app, settings, accessOf }: AppFacts, destination?: DestinationDefinition): ServiceFacts {
  const access = accessOf(destination?.slug);
  const all = Object.values(settings);
  const database = needsDatabase(all, destination);
  const consumes = consumption(access);
  return {
    app,
    ...(destination && { destination: destination.slug }),
    kind: consumes ? 'consumer' : 'http',
    port: defaultOf(all, 'PORT'),
    paths: healthPaths,
    stop: { shutdownMs: defaultOf(all, 'SHUTDOWN_MS'), marginMs: stopMarginMs },
    ...(consumes && { consumes }),
    needs: {
      database,
      internet: destination !== undefined,
      keys: all.flatMap(({ variable }) => keyFiles[variable] ?? []),
    },
    settings: all
      .filter(({ variable }) => database || variable !== 'DATABASE_URL')
      .map((one) => ({
        variable: one.variable,
        from: originOf(one),
        secret: one.secret,
        required: one.fallback === undefined || (database && one.variable === 'DATABASE_URL'),
      })),
    acls: aclsOf(access),
  };
}

// A destination that drops repeats by our id needs no claims, so its connector works without PostgreSQL.
function needsDatabase(settings: readonly Setting<unknown>[], destination?: DestinationDefinition): boolean {
  const setting = settings.find(({ variable }) => variable === 'DATABASE_URL');
  if (!setting) return false;
  return setting.fallback === undefined || destination?.promises.idempotency !== 'key';
}

function consumption({ group, consumes }: TopicAccess): ServiceFacts['consumes'] {
  if (group === undefined) return undefined;
  const topics = consumes.map(({ name }) => name);
  // What waits in a retry topic waits for its time: more processes would not make it come.
  const worked = topics.filter((name) => !name.endsWith('.retry'));
  const [only, ...others] = worked;
  return {
    group,
    topics,
    ...(only !== undefined && others.length === 0 && { lagTopic: only }),
    partitions: Math.max(...consumes.map(({ partitions }) => partitions)),
  };
}

function defaultOf(settings: readonly Setting<unknown>[], variable: string): number {
  const fallback = settings.find((one) => one.variable === variable)?.fallback;
  if (typeof fallback === 'string' && /^\d+$/.test(fallback)) return Number(fallback);
  throw new Error(`the setting ${variable} has no number as its default: the chart counts on one`);
}
