import { type LookupAddress, lookup as resolve } from 'node:dns';
import type { LookupFunction } from 'node:net';
import ipaddr from 'ipaddr.js';

/** The address must not be called. Raised before anything is connected. */
export class EgressRefused extends Error {
  readonly code = 'EGRESS_REFUSED';

  constructor(why: string) {
    super(`egress refused: ${why}`);
    this.name = 'EgressRefused';
  }
}

/**
 * Decides which addresses may be connected to. It is asked about the address that is connected to, at the moment of
 * connecting: a check of the name beforehand can be undone by the next DNS answer.
 */
export interface EgressGuard {
  /** Why this URL may not be called, as far as can be told without DNS. */
  refuseUrl(url: URL): string | undefined;
  /** A resolver for `net.connect` that fails rather than yield an address that may not be connected to. */
  lookupFor(protocol: string): LookupFunction;
}

type Cidr = [ipaddr.IPv4 | ipaddr.IPv6, number];

/**
 * @param allowedCidrs networks that may be called although they are not public, and over plain http: for development.
 * @throws Error when an entry is not a CIDR.
 */
export function egressGuard(allowedCidrs: readonly string[] = []): EgressGuard {
  const allowed = allowedCidrs.map(readCidr);
  const refuseAddress = (address: string, protocol: string): string | undefined => {
    if (!ipaddr.isValid(address)) return `${address} is not an address`;
    const plain = unwrap(ipaddr.parse(address));
    if (allowed.some((cidr) => contains(cidr, plain))) return undefined;
    if (plain.range() !== 'unicast') return `${plain.toString()} is ${plain.range()}, not a public address`;
    if (protocol !== 'https:') return 'plain http is only for addresses on the allow-list';
    return undefined;
  };
  return {
    refuseUrl: (url) => refuseUrl(url, refuseAddress),
    lookupFor: (protocol) => guardedLookup((address) => refuseAddress(address, protocol)),
  };
}

function refuseUrl(
  url: URL,
  refuseAddress: (address: string, protocol: string) => string | undefined,
): string | undefined {
  if (url.protocol !== 'https:' && url.protocol !== 'http:') return `scheme ${url.protocol} is not https`;
  if (url.username || url.password) return 'the URL carries credentials';
  const host = literalAddress(url);
  if (host !== undefined) return refuseAddress(host, url.protocol);
  // Ports below 1024 other than the web's belong to mail, shells, directories: never to an HTTP API.
  const port = Number(url.port || (url.protocol === 'https:' ? 443 : 80));
  if (port < 1024 && port !== 443 && port !== 80) return `port ${port} is not a web port`;
  return undefined;
}

/** The address written in the URL itself: `net.connect` asks no resolver for it. */
function literalAddress(url: URL): string | undefined {
  const host = url.hostname.replace(/^\[|\]$/g, '');
  return ipaddr.isValid(host) ? host : undefined;
}

function guardedLookup(refuse: (address: string) => string | undefined): LookupFunction {
  return (hostname, options, callback) => {
    resolve(hostname, { ...options, all: true }, (error, addresses) => {
      if (error) return callback(error, '', 0);
      const problem = firstProblem(hostname, addresses, refuse);
      if (problem) return callback(problem, '', 0);
      if (options.all) return callback(null, addresses);
      const first = addresses[0] as LookupAddress;
      callback(null, first.address, first.family);
    });
  };
}

// One refused address refuses the name: a public name that also answers a private address is an attack or a mistake.
function firstProblem(hostname: string, addresses: LookupAddress[], refuse: (address: string) => string | undefined) {
  if (addresses.length === 0) return new EgressRefused(`${hostname} has no address`);
  for (const { address } of addresses) {
    const why = refuse(address);
    if (why) return new EgressRefused(`${hostname}: ${why}`);
  }
  return undefined;
}

const nat64 = ipaddr.parseCIDR('64:ff9b::/96') as [ipaddr.IPv6, number];

/** IPv4 addresses can be written as IPv6 ones; what counts is where the packet ends up. */
function unwrap(address: ipaddr.IPv4 | ipaddr.IPv6): ipaddr.IPv4 | ipaddr.IPv6 {
  if (address.kind() === 'ipv4') return address;
  const v6 = address as ipaddr.IPv6;
  if (v6.isIPv4MappedAddress()) return v6.toIPv4Address();
  const bytes = v6.toByteArray();
  if (v6.match(nat64) || isIpv4Compatible(bytes)) return new ipaddr.IPv4(bytes.slice(12));
  return v6;
}

// ::a.b.c.d, long deprecated; `::` and `::1` keep their own meaning.
function isIpv4Compatible(bytes: readonly number[]): boolean {
  return bytes.slice(0, 12).every((byte) => byte === 0) && bytes.slice(12, 14).some((byte) => byte !== 0);
}

function contains([network, bits]: Cidr, address: ipaddr.IPv4 | ipaddr.IPv6): boolean {
  return network.kind() === address.kind() && address.match(network as ipaddr.IPv4, bits);
}

function readCidr(text: string): Cidr {
  try {
    return ipaddr.parseCIDR(text);
  } catch (cause) {
    throw new Error(`egress allow-list: ${JSON.stringify(text)} is not a network like 127.0.0.1/32`, { cause });
  }
}
