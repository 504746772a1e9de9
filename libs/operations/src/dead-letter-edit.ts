import { isDeepStrictEqual } from 'node:util';
import {
  avroType,
  cloudEventHeaders as ce,
  isRecordName,
  parseEventType,
  type RawRecord,
  type RecordName,
  topicFamilies,
} from '@tributary/contracts';
import { sha256Hex } from '@tributary/domain';
import type { IncomingRecord } from '@tributary/kafka';
import type { RecordCodec } from '@tributary/pipeline';
import { type DeadLetter, NotADeadLetter } from './dead-letter.js';

/** A value as a person edits it. */
export interface EditableValue {
  readonly record: RecordName;
  /** `body`: what the source sent, byte for byte. `avro-json`: the event's data in Avro's own JSON. */
  readonly form: 'body' | 'avro-json';
  readonly text: Buffer;
}

/** What a raw body says about itself, by its source's own rules. */
export type DescribeBody = (raw: RawRecord) => { readonly eventId: string; readonly eventType: string } | string;

export interface EditPorts {
  readonly codec: RecordCodec;
  readonly describe: DescribeBody;
}

const rawRecord = 'tributary.raw.RawRecord';

/** The value of a dead letter in the form in which `corrected` takes it back. @throws NotADeadLetter when it cannot be read. */
export async function editableValue({ record, id }: DeadLetter, { codec }: EditPorts): Promise<EditableValue> {
  const { recordName, value } = await decoded(id, record, codec);
  if (recordName === rawRecord) return { record: recordName, form: 'body', text: (value as unknown as RawRecord).body };
  const json = JSON.parse(avroType(recordName).toString(value)) as unknown;
  return { record: recordName, form: 'avro-json', text: Buffer.from(`${JSON.stringify(json, null, 2)}\n`) };
}

/** The bytes to send instead, made of what a person wrote. @throws NotADeadLetter that says what is wrong with it. */
export async function corrected({ record, id }: DeadLetter, text: Buffer, ports: EditPorts): Promise<Buffer> {
  const { recordName, value } = await decoded(id, record, ports.codec);
  if (recordName === rawRecord) return correctedRaw(record.topic, value as unknown as RawRecord, text, ports);
  const parts = parseEventType(record.headers[ce.type] ?? '');
  if (!parts) throw new NotADeadLetter(`${id} has no event type, so it is not known what its value must look like`);
  return ports.codec.encode(topicFamilies.events(parts.domain).name, recordName, fromAvroJson(recordName, text));
}

async function decoded(id: string, { value }: IncomingRecord, codec: RecordCodec) {
  if (!value) throw new NotADeadLetter(`${id} has no value that could be edited`);
  const found = await codec.decode<Record<string, unknown>>(value).catch((error: Error) => {
    throw new NotADeadLetter(
      `the value of ${id} is no record of this release, so it cannot be edited: ${error.message}`,
    );
  });
  if (!isRecordName(found.recordName))
    throw new NotADeadLetter(`${id} holds a ${found.recordName}, which is not known`);
  return { recordName: found.recordName, value: found.value };
}

function fromAvroJson(recordName: RecordName, text: Buffer): object {
  const type = avroType(recordName);
  try {
    const written = text.toString('utf8');
    const value = type.fromString(written) as object;
    // Avro's JSON leaves out what it does not know and fills in what is missing: a slip would go unnoticed.
    if (isDeepStrictEqual(JSON.parse(written), JSON.parse(type.toString(value)))) return value;
    throw new Error('a field is missing, or there is one that the record does not have');
  } catch (error) {
    throw new NotADeadLetter(
      `the new value is no ${recordName} in Avro's JSON: ${(error as Error).message}; tributary dlt show --value prints the old one in that form`,
    );
  }
}

async function correctedRaw(
  topic: string,
  raw: RawRecord,
  body: Buffer,
  { codec, describe }: EditPorts,
): Promise<Buffer> {
  const fixed = { ...raw, body, malformed: false };
  const description = describe(fixed);
  if (typeof description === 'string') {
    throw new NotADeadLetter(`source ${raw.source} cannot read the new body either: ${description}`);
  }
  const sourceEventId = idAfter(raw, body, description.eventId);
  if (sourceEventId === undefined) {
    throw new NotADeadLetter(
      `the new body is of event ${description.eventId}, the dead letter of ${raw.sourceEventId}: an edit must not change the id`,
    );
  }
  const value: RawRecord = { ...fixed, sourceEventId, sourceEventType: description.eventType };
  return codec.encode(topic.replace(/\.dlt$/, ''), rawRecord, value);
}

/** What keeps the event from being taken twice must stay. Undefined: it would not. */
function idAfter(raw: RawRecord, body: Buffer, described: string): string | undefined {
  // The id of a body that nobody could read is only its digest; the vendor's resend will have the id that the new body says.
  if (raw.malformed) return described;
  const hasNone = described === sha256Hex(body);
  return described === raw.sourceEventId || hasNone ? raw.sourceEventId : undefined;
}

const editableContext = new Set<string>([ce.time]);

/** Why a header must stay as it is; undefined: it may be changed. */
export function whyNotEditable(name: string): string | undefined {
  if (!/^[a-z0-9_-]{1,100}$/.test(name)) return `${name} is no name of a header: lower-case letters, digits, - and _`;
  if (editableContext.has(name)) return undefined;
  if (/^(x-|ce_)|^(traceparent|tracestate|content-type)$/.test(name)) {
    return `${name} says what the record is, where it came from or where it goes: that is never edited`;
  }
  return undefined;
}

/** Lines that differ, with what is equal at both ends left out; no more than `atMost` of each side. */
export function differenceOf(before: string, after: string, atMost = 200): string[] {
  const [old, now] = [before.split('\n'), after.split('\n')];
  let start = 0;
  while (start < old.length && start < now.length && old[start] === now[start]) start += 1;
  let end = 0;
  while (end < Math.min(old.length, now.length) - start && old.at(-1 - end) === now.at(-1 - end)) end += 1;
  const side = (sign: string, lines: readonly string[]) => {
    const changed = lines.slice(start, lines.length - end).map((line) => `${sign} ${line}`);
    return changed.length <= atMost
      ? changed
      : [...changed.slice(0, atMost), `${sign} ... ${changed.length - atMost} more lines`];
  };
  return [...side('-', old), ...side('+', now)];
}
