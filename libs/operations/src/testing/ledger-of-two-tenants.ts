import { type AuditRecord, topicFamilies } from '@tributary/contracts';
import { operatedRecord } from '@tributary/domain';
import {
  Database,
  Ledger,
  type LedgerEntry,
  LedgerView,
  migrate,
  PersonalReader,
  subjectIndexOf,
} from '@tributary/persistence';
import { anAcceptedRecord } from '../../../persistence/src/testing/an-accepted-record.js';
import { oneDataKey } from '../../../persistence/src/testing/one-data-key.js';
import { AuditReader } from '../audit/audit-reader.js';

export const tenants = ['acme', 'globex'] as const;
const begin = Date.UTC(2026, 0, 15);
export const eventsPerTenant = 30;

/** Events of two tenants with the same ids, actors, connections and people, and an act of an operator that belongs to nobody. */
export async function ledgerOfTwoTenants(url: string) {
  await migrate(url);
  const database = new Database({ url, applicationName: 'spec', maxConnections: 4, onIdleError: () => undefined });
  const dataKeys = oneDataKey();
  const ledger = new Ledger({ database, dataKeys });
  const records = tenants.flatMap((tenant) =>
    Array.from({ length: eventsPerTenant }, (_, i) => recordsOf(tenant, i)).flat(),
  );
  const nobody = operatedRecord({
    action: 'offsets-accepted',
    entity: 'group:router',
    reason: 'ada said so',
    actor: 'cli/ada',
    occurredAtMs: begin + 1,
    identity: 'x',
  });
  const entries = [...records, nobody].map(
    (record, i): LedgerEntry => ({ partition: i % 3, offset: BigInt(i), timestampMs: record.occurredAt, record }),
  );
  await ledger.write(entries);
  const reader = new AuditReader({
    view: new LedgerView(database),
    keys: {
      personal: new PersonalReader(dataKeys),
      indexOfSubject: (tenant, subject) => subjectIndexOf(dataKeys.keys, tenant, subject),
    },
  });
  const locked = new AuditReader({ view: new LedgerView(database) });
  return { database, reader, locked, entries };
}

function recordsOf(tenant: string, i: number): AuditRecord[] {
  const accepted = anAcceptedRecord(i, {
    occurredAtMs: begin + i * 1_000,
    tenant,
    eventSource: `/${tenant}/in`,
    origin: { topic: topicFamilies.raw('gusto').name, partition: tenants.indexOf(tenant as 'acme'), offset: i },
  });
  const person = { subject: `person-${i % 3}`, reason: `told to ${tenant}` };
  const settled: AuditRecord = {
    ...accepted,
    ...person,
    auditId: `${tenant}-settled-${i}`,
    stage: 'connector',
    action: 'settled',
    outcome: i % 5 === 0 ? 'dead' : 'delivered',
    actor: 'connector/1',
    occurredAt: begin + i * 1_000 + 500,
    connectionId: 'out',
    destination: 'slack',
    deliveryId: `d${i}`,
    attempt: 1,
    details: { acceptedAtMs: String(begin + i * 1_000) },
  };
  return [accepted, settled];
}
