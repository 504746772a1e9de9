import { Ledger, PersonalReader, SubjectRecords } from '@tributary/persistence';
import { beforeEach, describe, expect, it } from 'vitest';
import { anAcceptedRecord } from '../../persistence/src/testing/an-accepted-record.js';
import { withMigratedDatabase } from '../../persistence/src/testing/migrated-database.js';
import { oneDataKey } from '../../persistence/src/testing/one-data-key.js';
import { tamper } from '../../persistence/src/testing/tamper.js';
import { personFacts } from './person-records.js';

const held = withMigratedDatabase();
const dataKeys = oneDataKey();

beforeEach(() => tamper(held.database, 'TRUNCATE ledger.audit_record, ledger.position'));

async function tell(
  ...told: ReadonlyArray<{ event: string; subject: string | null; reason: string; tenant?: string }>
) {
  await new Ledger({ database: held.database, dataKeys }).write(
    told.map(({ event, subject, reason, tenant = 'acme' }, i) => ({
      partition: 0,
      offset: BigInt(i),
      timestampMs: Date.UTC(2026, 0, 15) + i,
      record: { ...anAcceptedRecord(i, { eventId: event, tenant }), subject, reason },
    })),
  );
}

async function reasonsOf(tenant: string, subject: string): Promise<unknown[]> {
  const ports = { keys: dataKeys.keys, subjects: new SubjectRecords(held.database) };
  const rows = [];
  for await (const row of personFacts(ports, { tenant, subject })) rows.push(row);
  const readings = await new PersonalReader(dataKeys).open(rows);
  return readings.map((reading) => (reading.state === 'open' ? reading.fields.reason : reading.state));
}

describe('personFacts', () => {
  it("has what was told of the person's events before it was known whose they are, and nobody else's", async () => {
    await tell(
      { event: 'e1', subject: null, reason: 'e1 died before its subject was known' },
      { event: 'e2', subject: null, reason: 'e2 is of somebody else' },
      { event: 'e1', subject: 'ada', reason: 'e1 came again' },
      { event: 'e1', subject: 'ada', reason: 'of another tenant', tenant: 'globex' },
      { event: 'e3', subject: 'ada', reason: 'e3' },
    );
    expect(await reasonsOf('acme', 'ada')).toEqual(['e1 came again', 'e3', 'e1 died before its subject was known']);
  });

  it('has nothing of a person that nothing was told of', async () => {
    await tell({ event: 'e1', subject: null, reason: 'x' });
    expect(await reasonsOf('acme', 'ada')).toEqual([]);
  });
});
