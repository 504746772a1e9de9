import { expect, it } from 'vitest';
import { everyAddressOf } from './service-addresses.js';

const names: Readonly<Record<string, readonly { address: string; family: number }[]>> = {
  router: [
    { address: '10.0.0.1', family: 4 },
    { address: '10.0.0.2', family: 4 },
    { address: 'fd00::1', family: 6 },
  ],
  six: [
    { address: 'fd00::1', family: 6 },
    { address: 'fd00::2', family: 6 },
  ],
  one: [{ address: '10.0.0.9', family: 4 }],
};
const lookUp = async (host: string) => {
  const found = names[host];
  if (!found) throw new Error('ENOTFOUND');
  return found;
};

it.each([
  ['http://router:8080', ['http://10.0.0.1:8080', 'http://10.0.0.2:8080']],
  ['http://six:8080', ['http://[fd00::1]:8080', 'http://[fd00::2]:8080']],
  ['http://one:8080', ['http://one:8080']],
  ['http://unknown:8080', ['http://unknown:8080']],
  ['http://localhost:8080', ['http://localhost:8080']],
  ['http://127.0.0.1:8080', ['http://127.0.0.1:8080']],
  ['http://[::1]:8080', ['http://[::1]:8080']],
])('%s stands for %j', async (service, addresses) => {
  expect(await everyAddressOf([service], lookUp)).toEqual(addresses);
});

it('keeps the order in which services were named', async () => {
  expect(await everyAddressOf(['http://one:1', 'http://router:2'], lookUp)).toEqual([
    'http://one:1',
    'http://10.0.0.1:2',
    'http://10.0.0.2:2',
  ]);
});

it.each(['router:8080', 'router', '', 'ftp://router', 'file:///etc/passwd', 'http://'])(
  'refuses %j, and says how it is given',
  async (service) => {
    await expect(everyAddressOf([service], lookUp)).rejects.toThrow('give it as http://host:port');
  },
);
