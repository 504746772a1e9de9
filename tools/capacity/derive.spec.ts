import { describe, expect, it } from 'vitest';
import { limits, type MeasuredCosts, needsAt } from './derive.js';

const costs: MeasuredCosts = {
  rate: 400,
  deliveriesPerEvent: 3,
  cpuSecondsPer1000: { ingress: 0.2, normalizer: 0.1, 'connector-http': 0.5, kafka: 0.3, postgres: 0.2, console: 9 },
  topicBytesPer1000: { 'raw.github.v1': 1_000_000, 'audit.records.v1': 2_000_000, __consumer_offsets: 0 },
  tableBytesPer1000: { 'ledger.audit_record': 5_000_000 },
  conditions: '',
};

describe('what a rate needs', () => {
  it('is cores as measured, and processes that are full at 70 % of a core, two at least', () => {
    const { services } = needsAt(10_000, costs);
    expect(services).toEqual([
      { service: 'ingress', cores: 2, pods: 3 },
      { service: 'normalizer', cores: 1, pods: 2 },
      { service: 'connector-http', cores: 5, pods: 8 },
    ]);
  });

  it.each([
    [1_000, 6],
    [10_000, 24],
    [100_000, 192],
    [1_000_000, 1_440],
  ])('is partitions with room to double: at %i/s', (rate, partitions) => {
    expect(needsAt(rate, costs).partitions['connector-http']).toBe(partitions);
  });

  it('is bytes for three replicas, over the days of each topic', () => {
    const { kafka, database } = needsAt(1_000, costs);
    expect(kafka.mebibytesPerSecond).toBeCloseTo(8.58, 2);
    // (1 MB x 7 d + 2 MB x 14 d) x 86,400 s x 3
    expect(kafka.terabytes).toBeCloseTo(9.072, 3);
    expect(database.gigabytesPerDay).toBeCloseTo(432, 3);
  });

  it('names what is full first', () => {
    expect(limits(costs).map(({ name, eventsPerSecond }) => [name, Math.round(eventsPerSecond)])).toEqual([
      ['connector-http', 1_400],
      ['ingress', 3_500],
      ['postgres', 3_500],
      ['normalizer', 7_000],
    ]);
  });
});
