import type { LookupAddress } from 'node:dns';
import { describe, expect, it } from 'vitest';
import { egressGuard } from './egress-guard.js';

const strict = egressGuard();
const development = egressGuard(['127.0.0.1/32']);

describe('the egress guard', () => {
  it.each([
    'https://127.0.0.1/',
    'https://127.1/',
    'https://0x7f000001/',
    'https://2130706433/',
    'https://0177.0.0.1/',
    'https://10.0.0.1/',
    'https://172.16.0.1/',
    'https://192.168.1.1/',
    'https://169.254.169.254/latest/meta-data/',
    'https://100.64.0.1/',
    'https://0.0.0.0/',
    'https://224.0.0.1/',
    'https://255.255.255.255/',
    'https://[::1]/',
    'https://[::]/',
    'https://[::ffff:127.0.0.1]/',
    'https://[::ffff:a9fe:a9fe]/',
    'https://[::127.0.0.1]/',
    'https://[64:ff9b::7f00:1]/',
    'https://[64:ff9b::a9fe:a9fe]/',
    'https://[fe80::1]/',
    'https://[fc00::1]/',
    'https://[2002:7f00:1::]/',
    'http://93.184.216.34/',
    'ftp://example.com/',
    'file:///etc/passwd',
    'https://user:pass@example.com/',
    'https://example.com:22/',
    'https://example.com:25/',
  ])('refuses %s', (url) => {
    expect(strict.refuseUrl(new URL(url))).toBeTypeOf('string');
  });

  it.each([
    'https://93.184.216.34/',
    'https://example.com/',
    'https://example.com:8443/',
    'https://[2606:4700::1111]/',
  ])('lets %s pass', (url) => {
    expect(strict.refuseUrl(new URL(url))).toBeUndefined();
  });

  it('lets plain http pass to what is on the allow-list, and to nothing else', () => {
    expect(development.refuseUrl(new URL('http://127.0.0.1:4000/'))).toBeUndefined();
    expect(development.refuseUrl(new URL('http://[::ffff:127.0.0.1]:4000/'))).toBeUndefined();
    expect(development.refuseUrl(new URL('http://127.0.0.2:4000/'))).toBeTypeOf('string');
    expect(development.refuseUrl(new URL('http://[::1]:4000/'))).toBeTypeOf('string');
  });

  const resolve = (guard: typeof strict, protocol: string, host: string) =>
    new Promise<string | LookupAddress[]>((done, fail) =>
      guard.lookupFor(protocol)(host, { all: true, family: 4 }, (error, address) =>
        error ? fail(error) : done(address),
      ),
    );

  it('refuses a name that resolves to a private address, at the moment of connecting', async () => {
    await expect(resolve(strict, 'https:', 'localhost')).rejects.toMatchObject({ code: 'EGRESS_REFUSED' });
    await expect(resolve(strict, 'http:', 'localhost')).rejects.toMatchObject({ code: 'EGRESS_REFUSED' });
  });

  it('resolves a name to an address on the allow-list', async () => {
    expect(await resolve(development, 'http:', 'localhost')).toEqual([{ address: '127.0.0.1', family: 4 }]);
  });

  it.each(['127.0.0.1', 'localhost/8', '10.0.0.0/99', ''])('does not start with the allow-list entry %j', (entry) => {
    expect(() => egressGuard([entry])).toThrow(/is not a network/);
  });
});
