import { lookup } from 'node:dns/promises';
import { isIP } from 'node:net';
import { CommandFailure } from './run.js';

interface Address {
  readonly address: string;
  readonly family: number;
}

type Lookup = (host: string) => Promise<readonly Address[]>;
const lookUpAll: Lookup = (host) => lookup(host, { all: true });

/**
 * Every process behind a name: a Kubernetes service without an address of its own has one for each pod, and whoever asks only the first sees
 * a part. @throws CommandFailure for what is no http address.
 */
export async function everyAddressOf(services: readonly string[], lookUp: Lookup = lookUpAll): Promise<string[]> {
  const found = await Promise.all(services.map((service) => addressesOf(service, lookUp)));
  return found.flat();
}

async function addressesOf(service: string, lookUp: Lookup): Promise<string[]> {
  const url = URL.canParse(service) ? new URL(service) : undefined;
  if (!url || !/^https?:$/.test(url.protocol))
    throw new CommandFailure(`${service} is no address of a service: give it as http://host:port`);
  // Both families of this machine are the same process.
  if (isIP(url.hostname) || url.hostname.startsWith('[') || url.hostname === 'localhost') return [service];
  // A name that is not known is said by the question that follows.
  const all = await lookUp(url.hostname).catch((): readonly Address[] => []);
  const ofOneFamily = all.filter(({ family }) => family === all[0]?.family);
  if (ofOneFamily.length < 2) return [service];
  return ofOneFamily.map(({ address, family }) => {
    const one = new URL(url);
    one.hostname = family === 6 ? `[${address}]` : address;
    return one.href.replace(/\/$/, '');
  });
}
