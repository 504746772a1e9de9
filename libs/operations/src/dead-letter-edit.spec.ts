import { avroType, isRecordName, type RawRecord, type RecordName } from '@tributary/contracts';
import { sha256Hex } from '@tributary/domain';
import type { RecordCodec } from '@tributary/pipeline';
import { describe, expect, it } from 'vitest';
import type { DeadLetter } from './dead-letter.js';
import { corrected, differenceOf, type EditPorts, editableValue, whyNotEditable } from './dead-letter-edit.js';
import { aDeadLetter, headersOfDeath } from './testing/dead-letter-world.js';

/** The record's name, then Avro: enough of the registry's framing to know what a value is. */
const codec: RecordCodec = {
  encode: async (topic, record, value) =>
    Buffer.concat([Buffer.from(`${topic} ${record}\n`), avroType(record).toBuffer(value)]),
  decodeKnown: () => undefined,
  decode: async <T>(bytes: Buffer) => {
    const end = bytes.indexOf(10);
    const recordName = bytes.toString('utf8', 0, end).split(' ')[1] ?? '';
    if (!isRecordName(recordName)) throw new Error('no framing');
    return { recordName, value: avroType(recordName).fromBuffer(bytes.subarray(end + 1)) as T };
  },
};

const ports: EditPorts = {
  codec,
  describe: ({ body }) => {
    const text = body.toString('utf8');
    if (!text.startsWith('{')) return 'the body is not JSON';
    const { id } = JSON.parse(text) as { id?: string };
    return { eventId: id ?? sha256Hex(body), eventType: 'issues.opened' };
  },
};

async function letterOf(record: RecordName, value: object, headers: object = {}): Promise<DeadLetter> {
  const rawHeaders = { ...headersOfDeath, ce_type: 'work.issue.opened', ...headers };
  const encoded = await codec.encode('events.work.v1', record, value);
  return { id: 't.dlt/0/1', state: 'open', act: undefined, record: aDeadLetter(0, { value: encoded, rawHeaders }) };
}

const event = { type: 'work.issue.opened', data: '{"a":1}', occurredAt: 5 };
const external = 'tributary.external.ExternalEvent';

describe('the value of a canonical event', () => {
  it('is edited as Avro JSON, and what is not touched stays as it was', async () => {
    const letter = await letterOf(external, event);
    const { form, text } = await editableValue(letter, ports);
    expect(form).toBe('avro-json');
    expect(await corrected(letter, text, ports)).toEqual(letter.record.value);
    const edited = Buffer.from(text.toString().replace('work.issue.opened', 'work.issue.closed'));
    const { value } = await codec.decode<typeof event>(await corrected(letter, edited, ports));
    expect(value).toEqual({ ...event, type: 'work.issue.closed' });
  });

  it.each([
    ['nothing', ''],
    ['no JSON', '{'],
    ['a list', '[]'],
    ['null', 'null'],
    ['a field of another kind', '{"type": 7, "data": "", "occurredAt": null}'],
    ['a field too many', '{"type": "x", "data": "", "occurredAt": null, "typ": "y"}'],
    ['a missing field', '{"type": "x"}'],
    ['a wrong branch of a union', '{"type": "x", "data": "", "occurredAt": "soon"}'],
    ['bytes that are no text', '\ud800'],
  ])('is refused as %s', async (_, text) => {
    await expect(corrected(await letterOf(external, event), Buffer.from(text), ports)).rejects.toThrow(
      /the new value is no tributary\.external\.ExternalEvent/,
    );
  });

  it.each([
    ['without a value', null, /has no value/],
    ['that is no record', Buffer.from('garbage'), /no record of this release/],
  ])('cannot be edited %s', async (_, value, why) => {
    const letter = { ...(await letterOf(external, event)), record: aDeadLetter(0, { value }) };
    await expect(editableValue(letter, ports)).rejects.toThrow(why);
    await expect(corrected(letter, Buffer.from('{}'), ports)).rejects.toThrow(why);
  });

  it('cannot be edited when its headers do not say what event it is', async () => {
    const letter = await letterOf(external, event, { ce_type: 'hired' });
    await expect(corrected(letter, Buffer.from('{}'), ports)).rejects.toThrow(/has no event type/);
  });
});

describe('what a source sent', () => {
  const raw: RawRecord = {
    receivedAt: 1,
    source: 'github',
    connection: 'c',
    tenant: 'acme',
    sourceEventId: 'e-1',
    sourceEventType: 'issues.opened',
    headers: {},
    contentType: 'application/json',
    malformed: false,
    body: Buffer.from('{"id":"e-1"'),
  };
  const rawLetter = (over: Partial<RawRecord> = {}) => letterOf('tributary.raw.RawRecord', { ...raw, ...over });
  const mended = async (letter: DeadLetter, body: string) =>
    (await codec.decode<RawRecord>(await corrected(letter, Buffer.from(body), ports))).value;

  it('is shown and taken byte for byte', async () => {
    expect(await editableValue(await rawLetter(), ports)).toMatchObject({ form: 'body', text: raw.body });
  });

  it('keeps everything but the body', async () => {
    const body = '{"id":"e-1"}';
    expect(await mended(await rawLetter(), body)).toEqual({ ...raw, body: Buffer.from(body) });
  });

  it('gets the id and type of its new body when the old one could not be read', async () => {
    const letter = await rawLetter({ malformed: true, sourceEventId: sha256Hex(raw.body), sourceEventType: '' });
    expect(await mended(letter, '{"id":"e-9"}')).toMatchObject({
      malformed: false,
      sourceEventId: 'e-9',
      sourceEventType: 'issues.opened',
    });
  });

  it('keeps the id it was taken in under when the source has none', async () => {
    const id = sha256Hex(raw.body);
    expect(await mended(await rawLetter({ sourceEventId: id }), '{"a":1}')).toMatchObject({ sourceEventId: id });
  });

  it.each([
    ['of another event', '{"id":"e-2"}', /an edit must not change the id/],
    ['that cannot be read either', 'no', /cannot read the new body either: the body is not JSON/],
  ])('is refused with a body %s', async (_, body, why) => {
    await expect(corrected(await rawLetter(), Buffer.from(body), ports)).rejects.toThrow(why);
  });
});

describe('headers', () => {
  it.each(['ce_time', 'custom', 'my-header_2'])('%s may be edited', (name) => {
    expect(whyNotEditable(name)).toBeUndefined();
  });

  it.each([
    ['ce_id', /never edited/],
    ['ce_type', /never edited/],
    ['ce_tenant', /never edited/],
    ['x-delivery-id', /never edited/],
    ['x-origin-offset', /never edited/],
    ['x-redrive-count', /never edited/],
    ['traceparent', /never edited/],
    ['content-type', /never edited/],
    ['X-Delivery-Id', /no name of a header/],
    ['', /no name of a header/],
    ['a b', /no name of a header/],
    ['a\n', /no name of a header/],
    ['__proto__', undefined],
  ])('%j', (name, why) => {
    if (why) expect(whyNotEditable(name)).toMatch(why);
    else expect(whyNotEditable(name)).toBeUndefined();
  });
});

describe('a difference', () => {
  it.each([
    ['a\nb\nc', 'a\nX\nc', ['- b', '+ X']],
    ['a\nb', 'a\nb', []],
    ['a', 'a\nb', ['+ b']],
    ['a\na', 'a', ['- a']],
    ['', 'x', ['- ', '+ x']],
  ])('of %j and %j', (before, now, lines) => expect(differenceOf(before, now)).toEqual(lines));

  it('is cut where it is long', () => {
    expect(differenceOf('x\n'.repeat(1_000), '', 2)).toEqual(['- x', '- x', '- ... 998 more lines']);
  });
});
