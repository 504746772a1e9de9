import { randomBytes, randomUUID } from 'node:crypto';
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { topicFamilies } from '@tributary/contracts';
import type { IncomingRecord } from '@tributary/kafka';
import { eventually } from '@tributary/testing';
import { sendWebhooks } from '@tributary/vendor-simulator';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { tamper } from '../../libs/persistence/src/testing/tamper.js';
import { demoIntegrations } from '../../tools/start/demo.js';
import { servicePlans, untilReady } from '../../tools/start/services.js';
import { OtlpReceiver, type ReceivedSpan } from './testing/otlp-receiver.js';
import { type RawReply, send } from './testing/raw-http.js';
import { type CommandResult, patienceMs, System } from './testing/system.js';

const operationsIntegrations = join(import.meta.dirname, 'integrations/operations.yaml');
const apiKey = `ops-publisher.${randomBytes(24).toString('hex')}`;

let system: System;
let collector: OtlpReceiver;
beforeAll(async () => {
  collector = await OtlpReceiver.listen();
  system = await System.start({ E2E_OPS_API_KEY: apiKey, OTEL_EXPORTER_OTLP_ENDPOINT: collector.url });
  await system.environment.apply([demoIntegrations, operationsIntegrations]);
  await eventually(() => publish('crm.unheard.of'), { timeoutMs: patienceMs, what: 'ingress to know the API key' });
});
afterAll(async () => {
  await system?.stop();
  await collector?.close();
});

interface Published {
  readonly id: string;
  readonly reply: RawReply;
}

async function publish(type: string, subject = `s-${randomUUID()}`): Promise<Published> {
  const id = `ev-${randomUUID()}`;
  const event = { specversion: '1.0', id, source: '/ops', type, subject, data: { why: 'test' } };
  const reply = await send(`${system.ingressUrl}/v1/events`, {
    headers: [
      ['content-type', 'application/cloudevents+json'],
      ['authorization', `Bearer ${apiKey}`],
    ],
    body: JSON.stringify(event),
  });
  expect({ status: reply.status, body: reply.body }).toMatchObject({ status: 202 });
  return { id, reply };
}

interface Fact {
  readonly [column: string]: unknown;
  readonly stage: string;
  readonly action: string;
  readonly outcome: string;
  readonly attempt: number;
  readonly occurred_at: Date;
  readonly duration_ms: string;
  readonly trace_id: string | null;
}

const factsOf = (eventId: string): Promise<Fact[]> =>
  system.query<Fact>('SELECT * FROM ledger.fact WHERE event_id = $1 ORDER BY occurred_at', [eventId]);

function untilFact(eventId: string, holds: (fact: Fact) => boolean, what: string): Promise<Fact> {
  return eventually(
    async () => {
      const found = (await factsOf(eventId)).find(holds);
      if (!found) throw new Error('it is not in the ledger');
      return found;
    },
    { timeoutMs: patienceMs, what },
  );
}

function expectDone(result: CommandResult): string {
  expect(result).toMatchObject({ code: 0, stderr: '' });
  return result.stdout;
}

function expectFails(result: CommandResult, said: RegExp | string): void {
  expect(result.stdout + result.stderr).toMatch(said);
  expect(result.code).toBe(1);
}

async function yamlFile(text: string): Promise<string> {
  const file = join(system.environment.stack.dataDir, `${randomUUID()}.yaml`);
  await writeFile(file, text);
  return file;
}

describe('a delivered event', () => {
  it('is told from its webhook to its settlement, and the proof closes', async () => {
    const { id } = await publish('crm.plain.tested');
    await system.untilDelivered('ops-plain', id);
    await system.expectProofCloses();
    expect(expectDone(await system.tributary('prove', '--settle', '30'))).toMatch(/✓ the proof closes/);
    const lines = expectDone(await system.tributary('trace', id))
      .trim()
      .split('\n');
    expect(lines).toEqual([
      expect.stringMatching(/ normalizer +accepted normalized .*raw\.publish\.v1\/\d+\/\d+/),
      expect.stringMatching(/ router +planned planned .*events\.crm\.v1\/\d+\/\d+/),
      expect.stringMatching(/ connector +settled delivered attempt 1 +http\/ops-plain +delivery\.http\.v1\/\d+\/\d+/),
    ]);
    expectFails(await system.tributary('trace', 'ev-nobody'), /knows nothing about ev-nobody/);
  });

  it('is one trace through every service', async () => {
    const { id, reply } = await publish('crm.plain.tested');
    await system.untilDelivered('ops-plain', id);
    const traceId = String(reply.headers['x-correlation-id']);
    expect(traceId).toMatch(/^[0-9a-f]{32}$/);
    // Router and connector both descend from the event's creation: its context travels with the event unchanged.
    for (const last of ['router', 'connector']) {
      const path = await eventually(() => pathTo(last, collector.ofTrace(traceId)), {
        timeoutMs: patienceMs,
        what: `the spans down to the ${last}`,
      });
      expect([...new Set(path)]).toEqual(['ingress', 'normalizer', last]);
    }
    const facts = await eventually(
      async () => {
        const found = await factsOf(id);
        expect(found).toHaveLength(3);
        return found;
      },
      { timeoutMs: patienceMs },
    );
    expect(facts.map(({ trace_id }) => trace_id)).toEqual([traceId, traceId, traceId]);
  });
});

/** Services from the first span of the trace down to a service, each the parent of the next. */
function pathTo(last: string, spans: readonly ReceivedSpan[]): string[] {
  const byId = new Map(spans.map((span) => [span.spanId, span]));
  const start = spans.find(({ service, name }) => service === last && name.startsWith('process '));
  if (!start)
    throw new Error(`no span of the ${last} among ${spans.map(({ service, name }) => `${service}: ${name}`)}`);
  const path = [start];
  for (let at = start; at.parentSpanId !== ''; ) {
    const parent = byId.get(at.parentSpanId);
    if (!parent) throw new Error(`the parent of ${at.service}: ${at.name} is not there`);
    path.unshift(parent);
    at = parent;
  }
  return path.map(({ service }) => service);
}

describe('the proof', () => {
  it.each(['accepted', 'planned', 'settled'])('names a missing record of what was %s', async (action) => {
    const { id } = await publish('crm.plain.tested');
    const fact = await untilFact(id, ({ action: did }) => did === 'settled', `${id} to be settled`);
    expect(fact.outcome).toBe('delivered');
    await system.expectProofCloses();
    const wanted = `event_id = '${id}' AND action = '${action}'`;
    await system.query(`CREATE TABLE planted AS SELECT * FROM ledger.audit_record WHERE ${wanted}`);
    await tamper(system.environment.database, `DELETE FROM ledger.audit_record WHERE ${wanted}`);
    try {
      const [row] = await system.query<Record<string, string>>('SELECT * FROM planted');
      const result = await system.tributary('prove', '--full', '--wait', '20');
      expectFails(result, /✗ the proof does not close/);
      expect(result.stdout).toContain(
        `audit.records.v1 partition ${row?.audit_partition} offset ${row?.audit_offset}:`,
      );
      expect(result.stdout).toContain(
        `${row?.origin_topic} partition ${row?.origin_partition} offset ${row?.origin_offset}:`,
      );
      if (action === 'planned') expect(result.stdout).toMatch(new RegExp(`event ${id} .* never reached the router`));
      if (action === 'settled')
        expect(result.stdout).toContain(`delivery ${row?.delivery_id} was planned, is not settled`);
    } finally {
      await system.query('INSERT INTO ledger.audit_record SELECT * FROM planted');
      await system.query('DROP TABLE planted');
    }
    await system.expectProofCloses();
  });
});

describe('a delivery that is refused', () => {
  const receiver = 'ops-rejecting';
  let dead: readonly IncomingRecord[];
  const idOf = ({ topic, partition, offset }: IncomingRecord) => `${topic}/${partition}/${offset}`;

  it('is dead-lettered as it was, with the reason beside it', async () => {
    await system.fault(receiver, { status: 422 });
    const events = [await publish('crm.rejection.tested', 'one'), await publish('crm.rejection.tested', 'two')];
    dead = await eventually(
      async () => {
        const found = await system.recordsOf('delivery.http.v1.dlt');
        const ids = found.map(({ headers }) => headers.ce_id);
        expect(ids.toSorted()).toEqual(events.map(({ id }) => id).toSorted());
        return found;
      },
      { timeoutMs: patienceMs, what: 'both dead letters' },
    );
    const delivered = await system.recordsOf('delivery.http.v1');
    for (const letter of dead) {
      const { headers } = letter;
      const origin = delivered.find(
        ({ partition, offset }) =>
          String(partition) === headers['x-origin-partition'] && String(offset) === headers['x-origin-offset'],
      );
      expect(letter.partition).toBe(origin?.partition);
      expect(letter.key?.equals(origin?.key as Buffer)).toBe(true);
      expect(letter.value?.equals(origin?.value as Buffer)).toBe(true);
      expect(letter.rawHeaders).toMatchObject(origin?.rawHeaders as object);
      expect(headers).toMatchObject({
        'x-origin-topic': 'delivery.http.v1',
        'x-origin-group': 'connector-http',
        'x-error-class': 'rejected',
        'x-error-code': '422',
        'x-error-message': expect.stringMatching(/422/),
        'x-error-fingerprint': expect.stringMatching(/^[0-9a-f]{16}$/),
        'x-retry-attempt': '1',
      });
    }
  });

  it('is listed and shown', async () => {
    const listed = JSON.parse(expectDone(await system.tributary('dlt', 'list', '--connection', receiver, '--json')));
    expect(listed).toHaveLength(2);
    expect(listed.map(({ id }: { id: string }) => id).toSorted()).toEqual(dead.map(idOf).toSorted());
    for (const letter of listed) {
      expect(letter).toMatchObject({
        state: 'open',
        class: 'rejected',
        code: '422',
        attempts: '1',
        connection: receiver,
      });
    }
    const [first] = dead as [IncomingRecord];
    const shown = expectDone(await system.tributary('dlt', 'show', idOf(first)));
    expect(shown).toContain(String(first.headers.ce_id));
    expect(shown).toMatch(/tributary\.external\.ExternalEvent/);
    expect(shown).toMatch(/crm\.rejection\.tested/);
  });

  it('is one cause with two dead letters', async () => {
    const { groups } = JSON.parse(
      expectDone(await system.tributary('dlt', 'groups', '--connection', receiver, '--json')),
    );
    expect(groups).toMatchObject([
      { count: 2, group: 'connector-http', class: 'rejected', code: '422', connections: { [receiver]: 2 } },
    ]);
    const text = expectDone(await system.tributary('dlt', 'groups', '--fingerprint', groups[0].fingerprint));
    expect(text).toMatch(new RegExp(`${groups[0].fingerprint} +2 .* connector-http +${receiver}: 2 +rejected +422`));
  });

  it.each([
    ['nothing named', ['dlt', 'redrive', '--reason', 'r'], /name dead letters by id, or a filter/],
    ['no reason', ['dlt', 'redrive', 'delivery.http.v1.dlt/0/0'], /--reason/],
    [
      'an id that is none',
      ['dlt', 'redrive', 'delivery.http.v1/0/0', '--reason', 'r'],
      /is not the id of a dead letter/,
    ],
    [
      'an id beside a filter',
      ['dlt', 'discard', 'delivery.http.v1.dlt/0/0', '--class', 'rejected', '--reason', 'r'],
      /not both/,
    ],
    ['a class that there is not', ['dlt', 'redrive', '--class', 'odd', '--reason', 'r'], /--class is odd; there are/],
    ['a topic that is none of ours', ['dlt', 'list', '--topic', 'foo.dlt'], /foo\.dlt is no dead-letter topic/],
    ['a time that is none', ['dlt', 'list', '--from', 'noon'], /--from is noon; write a time like/],
    ['a rate of nothing', ['dlt', 'redrive', '--key', 'k', '--rate', '0', '--reason', 'r'], /--rate is 0; it must be/],
    ['an empty reason', ['dlt', 'redrive', '--key', 'k', '--reason', ' '], /--reason is empty/],
    [
      'an edit of an id',
      ['dlt', 'edit', 'delivery.http.v1.dlt/0/0', '--header', 'ce_id=x', '--reason', 'r'],
      /never edited/,
    ],
    ['one that is not there', ['dlt', 'discard', 'delivery.http.v1.dlt/0/999', '--reason', 'r'], /is not there/],
  ])('is left alone with %s', async (_name, args, said) => {
    expectFails(await system.tributary(...args), said);
  });

  it('is redriven once, under the id that it had', async () => {
    await system.fault(receiver, {});
    const [first] = dead as [IncomingRecord];
    const dry = await system.tributary('dlt', 'redrive', idOf(first), '--reason', 'mended', '--dry-run');
    expect(expectDone(dry)).toMatch(/would redrive 1 dead letters, 0 refused; nothing was done/);
    const done = expectDone(await system.tributary('dlt', 'redrive', idOf(first), '--reason', 'mended', '--canary'));
    expect(done).toMatch(/canary of 1: 1 delivered\n1 dead letters redriven, 0 refused/);
    const effect = await system.untilDelivered(receiver, String(first.headers.ce_id));
    expect(effect.id).toBe(`msg_${first.headers['x-delivery-id']}`);
    const again = await system.tributary('dlt', 'redrive', idOf(first), '--reason', 'again');
    expectFails(again, `${idOf(first)} is redriven already`);
    expect(await system.effectsAt(receiver)).toHaveLength(1);
  });

  it('is discarded for good, and the proof says so', async () => {
    const second = dead[1] as IncomingRecord;
    const dry = await system.tributary(
      'dlt',
      'discard',
      '--connection',
      receiver,
      '--reason',
      'no',
      '--dry-run',
      '--rate',
      '20',
    );
    expect(expectDone(dry)).toMatch(/would discard 1 dead letters, 0 refused; nothing was done/);
    expectDone(await system.tributary('dlt', 'discard', idOf(second), '--reason', 'not wanted'));
    const redrive = await system.tributary('dlt', 'redrive', idOf(second), '--reason', 'after all');
    expectFails(redrive, `${idOf(second)} is discarded already`);
    expect(expectDone(await system.tributary('dlt', 'list', '--connection', receiver))).toMatch(/no dead letters/);
    await system.expectProofCloses();
    const report = JSON.parse(expectDone(await system.tributary('prove', '--json')));
    const http = report.destinations.find(({ destination }: { destination: string }) => destination === 'http');
    expect(http).toMatchObject({ discarded: 1, dead: 0, waiting: 0 });
    expect(http.planned).toBe(http.delivered + http.discarded);
    const acts = await system.facts<Fact>(
      `SELECT * FROM ledger.fact WHERE action IN ('redriven', 'discarded') ORDER BY occurred_at`,
    );
    expect(acts.map(({ action, actor, reason }) => [action, actor, reason])).toEqual([
      ['redriven', 'cli/tester', 'mended'],
      ['discarded', 'cli/tester', 'not wanted'],
    ]);
  });
});

describe('a redrive that fails again', () => {
  const receiver = 'ops-rejecting';
  const open = async () =>
    JSON.parse(expectDone(await system.tributary('dlt', 'list', '--connection', receiver, '--json'))) as {
      id: string;
      redrives: number;
      reason: string;
    }[];

  it('stops at its canary, can be edited, and two who redrive at once send each once', async () => {
    await system.fault(receiver, { status: 422 });
    for (let n = 0; n < 3; n++) await publish('crm.rejection.tested', `again-${n}`);
    const isListed = async () => expect(await open()).toHaveLength(3);
    await eventually(isListed, { timeoutMs: patienceMs, what: 'three dead letters' });

    const stopped = await system.tributary('dlt', 'redrive', '--connection', receiver, '--reason', 'hoped', '--canary');
    expectFails(stopped, /stopped: delivery\.http\.v1\.dlt\/\d+\/\d+ died again: .*422/);
    expect(stopped.stdout).toMatch(/canary of 1: 1 dead\n1 dead letters redriven/);
    const letters = await eventually(
      async () => {
        const found = await open();
        expect(found.map(({ redrives }) => redrives).toSorted()).toEqual([0, 0, 1]);
        return found;
      },
      { timeoutMs: patienceMs, what: 'the canary to be dead again' },
    );

    await system.fault(receiver, {});
    const before = (await system.effectsAt(receiver)).length;
    const edited = letters[0] as { id: string };
    const file = await yamlFile(
      expectDone(await system.tributary('dlt', 'show', edited.id, '--value')).replace('test', 'mended'),
    );
    const edit = ['dlt', 'edit', edited.id, '--value', file, '--reason', 'typing error'];
    expect(expectDone(await system.tributary(...edit, '--dry-run'))).toMatch(
      /^- .*test.*\n\+ .*mended.*\nnothing was done/,
    );
    expectDone(await system.tributary(...edit, '--yes'));
    expectFails(await system.tributary(...edit, '--yes'), /is redriven already/);

    const both = await Promise.all(
      ['ada', 'bob'].map((who) =>
        system.tributary('dlt', 'redrive', '--connection', receiver, '--reason', who, '--json'),
      ),
    );
    const done = both.map((result) => JSON.parse(expectDone(result)).done as number);
    expect(done[0]! + done[1]!).toBe(2);
    await eventually(async () => expect(await system.effectsAt(receiver)).toHaveLength(before + 3), {
      timeoutMs: patienceMs,
      what: 'all three at the receiver',
    });
    expect(await open()).toEqual([]);
    const [act] = await system.query<{ details: Record<string, string> }>(
      `SELECT details FROM ledger.fact WHERE action = 'redriven' AND details->>'edited' = 'true'`,
    );
    expect(act?.details.valueDigest).not.toBe(act?.details.valueDigestBefore);
    await system.expectProofCloses();
  });
});

describe('an event that the router cannot read', () => {
  it('is redriven to the router alone, and dies there again', async () => {
    const events = topicFamilies.events('crm').name;
    const { platform } = system.environment;
    await platform.producer.send({
      topic: events,
      key: 'stranger',
      value: Buffer.from('x'),
      headers: { ce_id: 'stranger' },
    });
    const listed = (count: number) =>
      eventually(
        async () => {
          const all = ['dlt', 'list', '--topic', `${events}.router.dlt`, '--state', 'all', '--json'];
          const found = JSON.parse(expectDone(await system.tributary(...all))) as {
            id: string;
            redrives: number;
            state: string;
          }[];
          expect(found).toHaveLength(count);
          return found;
        },
        { timeoutMs: patienceMs, what: `${count} dead letters of the router` },
      );
    const [letter] = await listed(1);
    const before = (await system.recordsOf(events)).length;
    expectDone(await system.tributary('dlt', 'redrive', letter?.id ?? '', '--reason', 'hoped'));
    expect((await listed(2)).map(({ redrives, state }) => [redrives, state])).toEqual([
      [0, 'redriven'],
      [1, 'open'],
    ]);
    expect(await system.recordsOf(events)).toHaveLength(before);
    await system.expectProofCloses();
  });
});

describe('a commit that nobody can read', () => {
  const group = 'connector-slack';
  const main = topicFamilies.delivery('slack').name;

  async function stop(): Promise<void> {
    const { process } = system.service(group);
    process.kill('SIGTERM');
    await process.exited;
  }

  async function start(): Promise<void> {
    const plan = servicePlans().find(({ name }) => name === group);
    if (!plan) throw new Error(`there is no plan of ${group}`);
    const service = await system.environment.launcher.start(plan, Number(new URL(system.service(group).url).port));
    system.environment.services.set(group, service);
    await untilReady([service], patienceMs);
  }

  async function commitAsAnotherTool(): Promise<void> {
    const consumer = system.environment.platform.client.newConsumer({ groupId: group });
    await consumer.connect();
    await consumer.subscribe({ topics: [main] });
    const joined = new Promise<void>((resolve) => consumer.on('consumer.group_join', () => resolve()));
    await consumer.run({ autoCommit: false, eachBatchAutoResolve: false, eachBatch: async () => undefined });
    await joined;
    await consumer.commitOffsets([{ topic: main, partition: 1, offset: '0', metadata: 'set by hand' }]);
    await consumer.disconnect();
  }

  it('holds its partition until somebody accepts it, which is refused while the service runs', async () => {
    await stop();
    await commitAsAnotherTool();
    await start();
    const lanes = ['lanes', '--service', system.service(group).url];
    await eventually(
      async () => expect(expectDone(await system.tributary(...lanes))).toMatch(/ 1 +\S+ +unreadable-map/),
      {
        timeoutMs: patienceMs,
        what: 'the partition to stand still',
      },
    );
    const accept = ['group', 'accept-offsets', group];
    expect(expectDone(await system.tributary(...accept))).toMatch(new RegExp(`${main} +1 +0 .*\\n.*nothing was done`));
    expectFails(await system.tributary(...accept, '--yes'), /say why/);
    expectFails(
      await system.tributary(...accept, '--yes', '--reason', 'by hand'),
      /has 1 members .*stop the service first/,
    );

    await stop();
    expect(expectDone(await system.tributary(...accept, '--yes', '--reason', 'by hand'))).toMatch(/accepted 1 offsets/);
    expect(expectDone(await system.tributary(...accept))).toMatch(
      /every committed offset of connector-slack can be read/,
    );
    await start();
    await eventually(
      async () => expect(expectDone(await system.tributary(...lanes))).not.toMatch(/unreadable-map|loading|scanning/),
      { timeoutMs: patienceMs, what: 'the partition to go on' },
    );
    const fact = await eventually(
      async () => {
        const [row] = await system.facts<Fact>(`SELECT * FROM ledger.fact WHERE action = 'offsets-accepted'`);
        if (!row) throw new Error('it is not in the ledger');
        return row;
      },
      { timeoutMs: patienceMs, what: 'the audit record' },
    );
    expect(fact).toMatchObject({
      actor: 'cli/tester',
      reason: 'by hand',
      entity: `group:${group}`,
      details: { offsets: `${main}/1/0` },
    });
  });
});

describe('a webhook whose body nobody can read', () => {
  it('is mended by hand, normalized, and not taken twice', async () => {
    const [report] = await sendWebhooks({
      source: 'github',
      url: `${system.ingressUrl}/webhooks/demo-github`,
      secrets: [system.environment.secrets.DEMO_GITHUB_SECRET],
      count: 1,
      prefix: 'unreadable',
      faults: ['unreadable-body'],
    });
    expect(report?.status).toBe(400);
    const [letter] = await eventually(
      async () => {
        const found = JSON.parse(
          expectDone(await system.tributary('dlt', 'list', '--topic', 'raw.github.v1.dlt', '--json')),
        );
        expect(found).toHaveLength(1);
        return found as { id: string }[];
      },
      { timeoutMs: patienceMs, what: 'the dead letter' },
    );
    const id = letter?.id ?? '';
    const bad = await yamlFile('still { no JSON');
    expectFails(
      await system.tributary('dlt', 'edit', id, '--value', bad, '--reason', 'r', '--yes'),
      /cannot read the new body either/,
    );
    const body = {
      action: 'opened',
      issue: { number: 7, id: 7, title: 'mended', html_url: 'https://x/7' },
      repository: { id: 1, full_name: 'a/b' },
    };
    const file = await yamlFile(JSON.stringify(body));
    expectDone(await system.tributary('dlt', 'edit', id, '--value', file, '--reason', 'cut off by a proxy', '--yes'));
    const settled = await eventually(
      async () => {
        const [fact] = await system.query<Fact>(
          `SELECT * FROM ledger.fact WHERE action = 'accepted' AND origin_topic = 'raw.github.v1' AND outcome <> 'dead'`,
        );
        if (!fact) throw new Error('it is not normalized');
        return fact;
      },
      { timeoutMs: patienceMs, what: 'the mended webhook' },
    );
    expect(settled.outcome).toBe('normalized');
    await system.expectProofCloses();
  });
});

describe('a destination that takes our key no longer', () => {
  const receiver = 'ops-guarded';

  it('is suspended, and only it waits, until a person resumes it', async () => {
    await system.fault(receiver, { status: 401 });
    const first = await publish('crm.guard.tested', 'guarded');
    await eventually(
      async () => {
        const { stdout } = await system.tributary('connections');
        expect(stdout).toMatch(/^ops-guarded +ops +http +suspended: .*401/m);
        expect(stdout).toMatch(/^ops-plain +ops +http +active$/m);
      },
      { timeoutMs: patienceMs, what: 'the suspension' },
    );
    await system.fault(receiver, {});
    const second = await publish('crm.guard.tested', 'guarded');
    const elsewhere = await publish('crm.plain.tested');
    await system.untilDelivered('ops-plain', elsewhere.id);
    await untilFact(second.id, ({ action }) => action === 'planned', 'the second to be planned');
    expect(await system.effectsAt(receiver)).toEqual([]);

    const connector = ['--service', system.service('connector-http').url];
    const lanes = expectDone(await system.tributary('lanes', ...connector));
    expect(lanes).toMatch(/connector-http is ready, \d+ partitions/);
    expect(lanes).toMatch(/^ops-guarded ops:guarded +gated .*unauthorized/m);
    expect(lanes).toMatch(/^ops-guarded +suspended +somebody resumes it +1 +unauthorized/m);
    expect(await system.tributary('health', ...connector)).toMatchObject({
      stdout: expect.stringMatching(/1 keys stand still since .*, 1 gates closed, 0 partitions paused/),
    });

    expectDone(await system.tributary('resume', receiver, '--reason', 'key replaced'));
    await system.untilDelivered(receiver, second.id);
    expect((await system.effectsAt(receiver)).map(({ summary }) => summary.split(' ')[1])).toEqual([
      first.id,
      second.id,
    ]);
    expectFails(await system.tributary('resume', receiver, '--reason', 'again'), /is not suspended/);
    const { attempt } = await untilFact(first.id, ({ action }) => action === 'settled', 'the settlement');
    expect(attempt).toBe(1);
    await system.expectProofCloses();
  });
});

describe('a destination that asks for patience', () => {
  const receiver = 'ops-gated';
  const patience = 3;

  it('is not asked again before its time, by no event, and no attempt is charged', async () => {
    await system.fault(receiver, { status: 429, retryAfter: patience, count: 1 });
    const events = [await publish('crm.gate.tested')];
    const throttled = await untilFact(events[0]?.id ?? '', ({ outcome }) => outcome === 'throttled', 'the 429');
    for (let n = 0; n < 3; n++) events.push(await publish('crm.gate.tested'));
    const elsewhere = await publish('crm.plain.tested');
    await system.untilDelivered('ops-plain', elsewhere.id);
    for (const { id } of events) await system.untilDelivered(receiver, id);

    const askedAtMs = throttled.occurred_at.getTime() - Number(throttled.duration_ms);
    for (const { atMs } of await system.effectsAt(receiver)) {
      expect(atMs).toBeGreaterThanOrEqual(askedAtMs + patience * 1000);
    }
    for (const { id } of events) {
      const { attempt } = await untilFact(id, ({ action }) => action === 'settled', 'the settlement');
      expect(attempt).toBe(1);
    }
    const attempts = await system.query(`SELECT 1 FROM ledger.fact WHERE connection_id = $1 AND action = 'attempted'`, [
      receiver,
    ]);
    expect(attempts).toHaveLength(1);
    const scraped = await (await fetch(`${system.service('connector-http').url}/metrics`)).text();
    expect(scraped).toContain('attempts_early_total{group="connector-http"} 0');
    expect(scraped).toMatch(/delay_error_seconds_count\{group="connector-http",kind="gate"\} [1-9]/);
    await system.expectProofCloses();
  });
});

describe('configuration', () => {
  const followed = (id: string, to: string) =>
    `{ id: ${id}, tenant: ops, events: [crm.${id}.tested], to: ${to}, operation: postEvent }`;

  it('is planned without a change, applied while everything runs, and pruned', async () => {
    const file = await yamlFile(`subscriptions: [${followed('added', 'ops-plain')}]`);
    for (let n = 0; n < 2; n++) {
      expect(expectDone(await system.tributary('plan', '-f', file))).toMatch(/^\+ subscription added$/m);
    }
    const before = await publish('crm.added.tested');
    await untilFact(before.id, ({ outcome }) => outcome === 'unsubscribed', 'nobody to want it');

    expect(expectDone(await system.tributary('apply', '-f', file, '--yes'))).toMatch(/applied 1 changes/);
    expect(expectDone(await system.tributary('apply', '-f', file, '--yes'))).toMatch(/nothing to do/);
    await eventually(
      async () => {
        const { id } = await publish('crm.added.tested');
        await untilFact(id, ({ action }) => action === 'planned', 'the plan');
        expect((await factsOf(id)).some(({ outcome }) => outcome === 'planned')).toBe(true);
        await system.untilDelivered('ops-plain', id);
      },
      { timeoutMs: patienceMs, what: 'the router to follow' },
    );

    const kept = ['-f', demoIntegrations, '-f', operationsIntegrations];
    expect(expectDone(await system.tributary('plan', ...kept, '--prune'))).toMatch(/^- subscription added$/m);
    const pruned = expectDone(await system.tributary('apply', ...kept, '--prune', '--yes'));
    expect(pruned).toMatch(/^- subscription added$/m);
    expect(pruned).toMatch(/applied 1 changes/);
    await eventually(
      async () => {
        const { id } = await publish('crm.added.tested');
        const { outcome } = await untilFact(id, ({ action }) => action === 'planned', 'the plan');
        expect(outcome).toBe('unsubscribed');
      },
      { timeoutMs: patienceMs, what: 'the router to forget' },
    );
  });

  it('may name a connection that does not exist yet: the subscription is inactive and says so', async () => {
    const file = await yamlFile(`subscriptions: [${followed('orphan', 'not-there-yet')}]`);
    const said = /^! subscription orphan is inactive: connection not-there-yet does not exist$/m;
    expect(expectDone(await system.tributary('apply', '-f', file, '--yes'))).toMatch(said);
    await eventually(
      async () => {
        const { id } = await publish('crm.orphan.tested');
        const { skipped } = await untilFact(id, ({ action }) => action === 'planned', 'the plan');
        expect(skipped).toEqual([
          { subscriptionId: 'orphan', reason: 'inactive: connection not-there-yet does not exist' },
        ]);
      },
      { timeoutMs: patienceMs, what: 'the router to know it' },
    );
  });

  const unset = ['$', '{NOT_SET}'].join('');
  const good = '{ id: never-applied, tenant: ops, source: github, secrets: { webhook: [env:E2E_OPS_API_KEY] } }';
  const connection = (row: string) => `connections:\n  - ${good}\n  - ${row}`;
  const subscription = (fields: string) =>
    `connections: [${good}]\nsubscriptions:\n  - { id: wrong, tenant: ops, to: ops-plain, ${fields} }`;

  it.each([
    [
      'a plain secret',
      connection('{ id: wrong, tenant: ops, source: github, secrets: { webhook: [hunter2] } }'),
      /:3: .*must be a reference/,
    ],
    [
      'an unknown source',
      connection('{ id: wrong, tenant: ops, source: faxes }'),
      /connection wrong: source faxes is not known; there are .*github/,
    ],
    [
      'a source and a destination',
      connection('{ id: wrong, tenant: ops, source: github, destination: http }'),
      /exactly one of source and destination/,
    ],
    ['an id with a capital', connection('{ id: Wrong, tenant: ops, source: github }'), /must match/],
    [
      'a missing secret',
      connection('{ id: wrong, tenant: ops, source: github }'),
      /connection wrong: secrets\.webhook is missing/,
    ],
    ['an unknown field', connection('{ id: wrong, tenant: ops, source: github, colour: red }'), /colour/],
    [
      'a setting of another kind',
      connection('{ id: wrong, tenant: ops, destination: http, settings: { url: 7 }, secrets: { signing: [env:X] } }'),
      /connection wrong: .*url/,
    ],
    ['the same id twice', connection(good), /connection never-applied is there more than once/],
    [
      'a variable that is not set',
      connection(
        `{ id: wrong, tenant: ops, destination: http, settings: { url: "${unset}" }, secrets: { signing: [env:X] } }`,
      ),
      /needs NOT_SET/,
    ],
    [
      'a filter that is none',
      subscription('events: [crm.a.b], operation: postEvent, filter: "event."'),
      /subscription wrong: filter/,
    ],
    [
      'an unknown operation',
      subscription('events: [crm.a.b], operation: fax'),
      /subscription wrong: http has no operation fax; there are postEvent/,
    ],
    [
      'a type that is none',
      subscription('events: [hired], operation: postEvent'),
      /subscription wrong: hired is not an event type/,
    ],
    [
      'a mapping that cannot be read',
      subscription('events: [crm.a.b], operation: postEvent, mapping: { type: "$(" }'),
      /subscription wrong: /,
    ],
    [
      "another tenant's connection",
      subscription('events: [crm.a.b], operation: postEvent').replace('ops-plain', 'demo-http'),
      /belongs to tenant demo/,
    ],
    ['YAML that is none', 'connections: [', /:1: /],
    ['a list that there is not', 'webhooks: []', /webhooks/],
    ['aliases without end', `a: &a [x, x]\nb: &b [*a, *a]\nc: [*b, *b]`, /aliases are not allowed/],
  ])('with %s is refused as a whole, and what is wrong is named', async (_name, text, said) => {
    const result = await system.tributary('apply', '-f', await yamlFile(text), '--yes');
    expectFails(result, /nothing was applied/);
    expect(result.stderr).toMatch(said);
    expect(result.stderr).not.toMatch(/hunter2|node_modules/);
  });

  it('that was refused left nothing behind', async () => {
    expect(expectDone(await system.tributary('connections'))).not.toMatch(/never-applied|wrong/);
  });
});

describe('the command line', () => {
  it('says what is up, and fails when something is down', async () => {
    const services = [...system.environment.services.values()].flatMap(({ url }) => ['--service', url]);
    const up = expectDone(await system.tributary('health', ...services));
    for (const part of ['kafka', 'schema registry', 'database', 'group normalizer', 'group connector-http']) {
      expect(up).toMatch(new RegExp(`${part}[ │|]+up`));
    }
    expect(up).not.toMatch(/DOWN/);
    expectFails(await system.tributary('lanes', '--service', 'http://127.0.0.1:9'), /127\.0\.0\.1:9 does not answer/);
    expectFails(await system.tributary('lanes', '--service', system.ingressUrl), /consumes nothing/);
    expectFails(await system.tributary('lanes', '--service', system.ingressUrl, '--limit', '0'), /--limit is 0/);
    const group = ['group', 'accept-offsets'];
    expect(expectDone(await system.tributary(...group, 'router'))).toMatch(
      /every committed offset of router can be read/,
    );
    expectFails(await system.tributary(...group, 'nobody'), /there is no group nobody; there are normalizer, router/);
    expectFails(await system.tributary('health', '--service', 'http://127.0.0.1:9'), /127\.0\.0\.1:9[ │|]+DOWN/);
  });

  it('explains every command', async () => {
    const explained: string[] = [];
    const explain = async (path: readonly string[]): Promise<void> => {
      const text = expectDone(await system.tributary(...path, '--help'));
      explained.push(path.join(' '));
      expect(text).toMatch(/^Usage: tributary/);
      const [, commands = ''] = /^Commands:\n([\s\S]*)/m.exec(text) ?? [];
      const names = [...commands.matchAll(/^ {2}([a-z][a-z-]*)/gm)].flatMap(([, name]) =>
        name && name !== 'help' ? [name] : [],
      );
      for (const name of names) await explain([...path, name]);
    };
    await explain([]);
    expect(explained).toEqual(expect.arrayContaining(['plan', 'apply', 'prove', 'trace', 'dlt redrive', 'health']));
  });

  it('fails with a hint for a command that there is not', async () => {
    expectFails(await system.tributary('prov'), /Did you mean prove/);
  });
});

afterEach(async () => {
  // A fault that a failed test left behind would fail the next ones for no reason of theirs.
  for (const receiver of ['ops-gated', 'ops-guarded', 'ops-rejecting']) await system.fault(receiver, {});
});
