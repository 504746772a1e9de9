import { describe, expect, it } from 'vitest';
import { serverProperties } from './kafka.js';

describe("the broker's properties", () => {
  const text = serverProperties({ brokerPort: 19_092, controllerPort: 19_093, dataFolder: '/data/kafka' });

  it('listen on loopback only', () => {
    expect(text).toContain('listeners=PLAINTEXT://127.0.0.1:19092,CONTROLLER://127.0.0.1:19093\n');
    expect(text).toContain('advertised.listeners=PLAINTEXT://127.0.0.1:19092\n');
    expect(text).toContain('controller.quorum.voters=1@127.0.0.1:19093\n');
  });

  it('never create a topic by accident and let groups start at once', () => {
    expect(text).toContain('auto.create.topics.enable=false\n');
    expect(text).toContain('group.initial.rebalance.delay.ms=0\n');
  });

  it.each([
    ['/home/zoë/data', '/home/zo\\u00eb/data'],
    ['/tmp/a\nlisteners=x', '/tmp/a\\u000alisteners=x'],
    ['C:\\data', 'C:\\\\data'],
    ['/tmp/with space#and=signs', '/tmp/with space#and=signs'],
  ])('carry the folder %j unharmed', (dataFolder, escaped) => {
    expect(serverProperties({ brokerPort: 1, controllerPort: 2, dataFolder })).toContain(`log.dirs=${escaped}\n`);
  });
});
