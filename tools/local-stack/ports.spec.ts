import { describe, expect, it } from 'vitest';
import { PartFailed } from './errors.js';
import { freePorts, listeningInodes, onFreePorts, parsePort } from './ports.js';

const collision = new PartFailed('kafka ended while starting', 'java.net.BindException: Address already in use');

describe('a port', () => {
  it.each([
    ['1', 1],
    ['9092', 9092],
    ['65535', 65_535],
  ])('may be %s', (text, port) => {
    expect(parsePort(text, '--kafka-port')).toBe(port);
  });

  it.each(['', '0', '65536', '-1', '80a', '1e3', ' 80', '0x50', '8.5', 'NaN', '999999999999'])(
    'may not be %j',
    (text) => {
      expect(() => parsePort(text, '--kafka-port')).toThrow(`--kafka-port is "${text}"; a port is a whole number`);
    },
  );
});

describe('free ports', () => {
  it('differ from each other', async () => {
    const ports = await freePorts(20);
    expect(new Set(ports).size).toBe(20);
  });

  it('are chosen anew when somebody was faster', async () => {
    const tried: number[] = [];
    const used = await onFreePorts([undefined], async ([port]) => {
      tried.push(port!);
      if (tried.length < 3) throw collision;
      return port;
    });
    expect(tried).toHaveLength(3);
    expect(used).toBe(tried[2]);
  });

  it('are not tried for ever', async () => {
    let tries = 0;
    const starting = onFreePorts([undefined], async () => {
      tries++;
      throw collision;
    });
    await expect(starting).rejects.toBe(collision);
    expect(tries).toBe(5);
  });

  it('leave explicit ones alone, and every other failure', async () => {
    await expect(onFreePorts([9092], () => Promise.reject(collision))).rejects.toBe(collision);
    const other = new PartFailed('kafka ended while starting', 'out of memory');
    let tries = 0;
    const starting = onFreePorts([undefined], async () => {
      tries++;
      throw other;
    });
    await expect(starting).rejects.toBe(other);
    expect(tries).toBe(1);
  });
});

describe('the listeners in /proc/net/tcp', () => {
  const table = `  sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt   uid  timeout inode
   0: 0100007F:2384 00000000:0000 0A 00000000:00000000 00:00000000 00000000     0        0 4242 1 0 100 0 0 10 0
   1: 0100007F:2384 0100007F:D431 01 00000000:00000000 00:00000000 00000000     0        0 4243 1 0 20 4 30 10 -1
   2: 00000000:0050 00000000:0000 0A 00000000:00000000 00:00000000 00000000     0        0 4244 1 0 100 0 0 10 0
`;
  it.each([
    [9092, ['4242']],
    [80, ['4244']],
    [54_321, []],
  ])('on port %i are %j', (port, inodes) => {
    expect(listeningInodes(table, port)).toEqual(inodes);
  });
});
