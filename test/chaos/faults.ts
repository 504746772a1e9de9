import { setTimeout as sleep } from 'node:timers/promises';
import { order } from '../../tools/start/demo.js';
import type { Environment } from '../../tools/start/environment.js';
import type { ConnectorFleet } from './connector-fleet.js';

export interface FaultWorld {
  readonly environment: Environment;
  readonly fleet: ConnectorFleet;
  /** Milliseconds that the destination takes for a request. */
  readonly destinationMs: number;
  /** Target of the sandbox that the connections point to. */
  readonly target: string;
}

interface Fault {
  readonly what: string;
  /** Does the damage; resolves when nothing more is done. Recovery is measured from its beginning. */
  readonly strike: (world: FaultWorld) => Promise<void>;
  /** A clean hand-over has 5 s to the full rate, anything else 30 s. */
  readonly isClean: boolean;
}

export const fleetSize = 3;
export const memberName = (n: number): string => `connector-http-${n}`;
const fourth = memberName(fleetSize + 1);

/** What a hand-over does while a retry waits. */
const pauseFaultMs = 4_000;

/** What may happen to a group of three connectors under load. */
export const faults = {
  rolling: {
    what: 'three restarts by SIGTERM, one after the other',
    isClean: true,
    strike: async ({ fleet }) => {
      for (let n = 1; n <= fleetSize; n++) {
        await fleet.stop(memberName(n));
        await fleet.start(memberName(n));
      }
    },
  },
  kill: {
    what: 'kill -9 of one, started again at once',
    isClean: false,
    strike: async ({ fleet }) => {
      await fleet.kill(memberName(2));
      await fleet.start(memberName(2));
    },
  },
  join: { what: 'a fourth joins', isClean: true, strike: ({ fleet }) => fleet.start(fourth) },
  leave: { what: 'the fourth leaves', isClean: true, strike: ({ fleet }) => fleet.stop(fourth) },
  revoked: {
    what: 'partitions go to a fourth and come back while retries wait',
    isClean: true,
    strike: async ({ fleet, environment, target, destinationMs }) => {
      const refusing = { status: 503, probability: 0.2, forMs: pauseFaultMs, latencyMs: destinationMs };
      await order(environment, 'PUT', `/faults/${target}`, refusing);
      await fleet.start(fourth);
      await fleet.stop(fourth);
      await sleep(pauseFaultMs);
      await order(environment, 'PUT', `/faults/${target}`, { latencyMs: destinationMs });
    },
  },
  broker: {
    what: 'kill -9 of the broker, started again at once',
    isClean: false,
    strike: async ({ environment: { stack } }) => {
      const kafka = stack.processes.get('kafka');
      if (!kafka) throw new Error('the stack runs no Kafka');
      kafka.kill('SIGKILL');
      await kafka.exited;
      await stack.supervisor.spawn(kafka.spec);
    },
  },
} as const satisfies Record<string, Fault>;

export type FaultName = keyof typeof faults;
export const faultNames = Object.keys(faults) as FaultName[];
