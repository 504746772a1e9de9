/**
 * Without a redrive every team builds its own, and the ones that write to the main topic deliver again to every group that reads it.
 * Here a redriven record goes to the retry topic of its own group, with one set of headers, and is taken once for each redrive.
 */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { SimulatedBroker } from '../../libs/kafka/src/testing/simulated-driver.js';
import { delivered, refusal, type Scene, scene } from './testing/scene.js';

/** What the command line writes for one dead letter. */
function redrive(at: Scene, id: string, count: number): void {
  const letter = at.dead.at(-1);
  const headers = { ...letter?.headers, 'x-redrive-id': id, 'x-redrive-count': String(count) };
  at.appendToRetry(String(letter?.key), String(letter?.value), headers);
}

describe('redrive', () => {
  it('spring-kafka-2172-no-redrive: a dead letter goes through its own chain again, as it was, in the order of its key', async () => {
    let isMended = false;
    const at = await scene({
      handler: async (record) =>
        String(record.value) === 'a0' && !isMended ? { to: 'deadLetter', failure: refusal } : delivered,
    });
    at.append('a', 'a0', 0, { 'x-delivery-id': 'd1' });
    at.append('a', 'a1');
    await at.run(2_000);
    expect(at.values).toEqual(['a0', 'a1']);
    isMended = true;
    redrive(at, 'job-1', 1);
    await at.run(2_000);
    redrive(at, 'job-1', 1);
    await at.run(2_000);
    expect(at.seen.slice(2)).toMatchObject([{ value: 'a0', key: 'a', topic: 'main.retry' }]);
    expect(at.parked()[0]?.headers).toMatchObject({ 'x-delivery-id': 'd1', 'x-origin-offset': '0' });
    isMended = false;
    redrive(at, 'job-2', 2);
    await at.run(2_000);
    expect(at.dead).toHaveLength(2);
    expect(at.dead[1]?.headers).toMatchObject({
      'x-redrive-id': 'job-2',
      'x-origin-topic': 'main',
      'x-origin-offset': '0',
    });
  });

  it('sda-commons-116-redrive-hits-all-groups: another group that reads the topic sees nothing of a redrive', async () => {
    let isMended = false;
    const billing = await scene({
      group: 'billing',
      handler: async () => (isMended ? delivered : { to: 'deadLetter', failure: refusal }),
    });
    const mailing = await scene({
      group: 'mailing',
      broker: new SimulatedBroker(billing.broker.logs),
      handler: async () => delivered,
    });
    billing.append('a', 'a0');
    for (const at of [billing, mailing]) await at.run(2_000);
    isMended = true;
    redrive(billing, 'job-1', 1);
    for (const at of [billing, mailing]) await at.run(5_000);
    expect(billing.values).toEqual(['a0', 'a0']);
    expect(mailing.values).toEqual(['a0']);
    // The catalogue has no retry topic that two groups would share.
    const catalogue = readFileSync(join(import.meta.dirname, '../../docs/generated/topics.md'), 'utf8');
    expect(catalogue).toContain('events.people.v1.router.retry');
    expect(catalogue).not.toContain('events.people.v1.retry');
  });
});
