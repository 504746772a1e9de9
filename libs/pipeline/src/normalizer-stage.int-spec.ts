import { defineSource } from '@tributary/connector-kit';
import type { RawRecord } from '@tributary/contracts';
import { type Claim, type ClaimVerdict, Database, Inbox, migrate } from '@tributary/persistence';
import { withDatabase } from '@tributary/testing';
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { ClaimBatcher } from './claim-batcher.js';
import { NormalizerStage } from './normalizer-stage.js';
import { away, incoming, memoryWorld } from './testing/world.js';

const held = withDatabase();
let database: Database;

beforeAll(async () => {
  await migrate(held.url);
  database = new Database({ url: held.url, applicationName: 'spec', maxConnections: 4, onIdleError: () => undefined });
});
beforeEach(() => database.query('TRUNCATE inbox.claim'));
afterAll(() => database.close());

const source = defineSource({
  slug: 'test',
  title: 'Test',
  summary: 'For tests.',
  settings: {},
  keptHeaders: [],
  events: ['people.*.*'],
  promises: { ordering: 'none', deduplication: 'event-id', retries: 'never' },
  verify: () => ({ kind: 'verified' }),
  describe: () => ({ kind: 'event', eventId: '1', eventType: 'x', subject: '1' }),
  translate: ({ sourceEventId }) => ({
    kind: 'events',
    events: [
      {
        type: 'people.employee.onboarded',
        subject: sourceEventId,
        data: { type: 'x', data: '{}', occurredAt: null },
        record: 'tributary.external.ExternalEvent',
      },
    ],
  }),
});

/** One normalizer process: its stage, and what it wrote. */
function aProcess() {
  const { codec, writer, audit, audits, surroundings } = memoryWorld();
  const batcher = new ClaimBatcher<Claim, ClaimVerdict>((claims) => new Inbox(database).claim(claims));
  const stage = new NormalizerStage({
    codec,
    writer,
    audit,
    claim: (claims) => batcher.claim(claims),
    sourceOf: () => source,
    connectionOf: () => undefined,
    surroundings,
    actor: 'normalizer/1',
    onOutcome: () => undefined,
  });
  const aRecord = async (offset: number, eventId: string) => {
    const raw: RawRecord = {
      receivedAt: 1,
      source: 'test',
      connection: 'in',
      tenant: 'acme',
      sourceEventId: eventId,
      sourceEventType: 'hired',
      headers: {},
      contentType: 'application/json',
      malformed: false,
      body: Buffer.alloc(0),
    };
    const value = await codec.encode('raw.test.v1', 'tributary.raw.RawRecord', raw);
    return incoming({ offset: BigInt(offset), value });
  };
  const events = () => writer.to('events.people.v1').map(({ headers }) => String(headers?.ce_id));
  return { stage, writer, audits, aRecord, events };
}

describe('NormalizerStage with a real inbox', () => {
  it('neither loses nor doubles an event when it dies between the claim and the event', async () => {
    const dying = aProcess();
    dying.writer.trouble = () => {
      throw away();
    };
    await expect(dying.stage.handle(await dying.aRecord(0, 'e1'))).rejects.toMatchObject({ retryable: true });
    expect(dying.events()).toEqual([]);

    const next = aProcess();
    await next.stage.handle(await next.aRecord(0, 'e1'));
    await next.stage.handle(await next.aRecord(1, 'e1'));
    expect(next.events()).toEqual(['e1']);
    expect((await next.audits()).map(({ outcome }) => outcome)).toEqual(['normalized', 'duplicate']);
  });

  it('does not take the resend for the event while the first record, which claimed it, is still to come again', async () => {
    const dying = aProcess();
    dying.writer.trouble = () => {
      throw away();
    };
    await expect(dying.stage.handle(await dying.aRecord(0, 'e1'))).rejects.toThrow();
    const next = aProcess();
    await next.stage.handle(await next.aRecord(5, 'e1'));
    expect(next.events()).toEqual([]);
    await next.stage.handle(await next.aRecord(0, 'e1'));
    expect(next.events()).toEqual(['e1']);
  });

  it('writes each event once though two processes get all of them, each at other offsets, at the same time', async () => {
    const ids = Array.from({ length: 300 }, (_, i) => `e${i}`);
    const processes = [aProcess(), aProcess()];
    await Promise.all(
      processes.flatMap(({ stage, aRecord }, n) =>
        ids.map(async (id, i) => stage.handle(await aRecord(n * 1_000 + i, id))),
      ),
    );
    expect(processes.flatMap(({ events }) => events()).sort()).toEqual([...ids].sort());
  });

  it('writes nothing and waits while the database is away', async () => {
    const { stage, aRecord, events } = aProcess();
    await database.query('ALTER TABLE inbox.claim RENAME TO elsewhere');
    try {
      await expect(stage.handle(await aRecord(0, 'e1'))).rejects.toMatchObject({ retryable: true });
      expect(events()).toEqual([]);
    } finally {
      await database.query('ALTER TABLE inbox.elsewhere RENAME TO claim');
    }
    expect(await stage.handle(await aRecord(0, 'e1'))).toEqual({ to: 'commit' });
    expect(events()).toEqual(['e1']);
  });
});
