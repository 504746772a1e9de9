import { asIdentifier, asObject, decodeUtf8, type JsonObject, msFromIso, readJsonText } from '@tributary/connector-kit';
import {
  type ApiKey,
  avroType,
  isRecordName,
  parseEventType,
  publishSource,
  type RawRecord,
  topicFamilies,
} from '@tributary/contracts';
import { apiKeyIn, mayUse } from '@tributary/control';
import { rawKey, sha256Hex } from '@tributary/domain';
import type { OutgoingRecord } from '@tributary/kafka';
import type { Type, types } from 'avsc';
import type { RecordCodec, RecordWriter } from './ports.js';
import type { Rejection } from './rejection-log.js';
import type { RequestBudget } from './request-budget.js';
import { type Answer, overBudget, unavailable } from './webhook-receiver.js';

export interface PublishRequest {
  readonly contentType: string;
  readonly authorization: string | undefined;
  readonly idempotencyKey: string | undefined;
  readonly body: Buffer;
  readonly receivedAtMs: number;
}

export interface PublishReceiverPorts {
  readonly apiKeyOf: (id: string) => ApiKey | undefined;
  readonly codec: Pick<RecordCodec, 'encode'>;
  readonly writer: RecordWriter;
  /** By API key. Asked only about keys that were shown, so that nobody can use up the budget of another. */
  readonly budget: Pick<RequestBudget, 'take'>;
  readonly onRejection: (rejection: Rejection) => void;
}

/** What is wrong with one event; `at` is a JSON pointer into the body. */
export interface SchemaError {
  readonly at: string;
  readonly message: string;
}

const structured = 'application/cloudevents+json';
const batch = 'application/cloudevents-batch+json';
const mostEventsInBatch = 500;
/** With the id it is the identity of an event, which the ledger indexes. */
const longestSource = 1_000;

/** Writing side of the publish API: CloudEvents of a company's own services, into `raw.publish.v1`. */
export class PublishReceiver {
  constructor(private readonly ports: PublishReceiverPorts) {}

  async receive(request: PublishRequest): Promise<Answer> {
    const key = apiKeyIn(request.authorization, this.ports.apiKeyOf);
    if (!key)
      return this.reject(
        request,
        undefined,
        401,
        'api-key-wrong',
        'a valid API key is needed: Authorization: Bearer <key>',
      );
    if (!mayUse(key, 'publish')) return this.reject(request, key, 403, 'scope-missing', 'this API key may not publish');
    const seconds = this.ports.budget.take(key.id);
    if (seconds !== undefined) return overBudget(seconds, 'this API key sends more than its budget', publishSource);
    const form = mediaType(request.contentType);
    if (form !== structured && form !== batch) {
      return this.reject(request, key, 415, 'content-type', `send ${structured} or ${batch}`);
    }
    const events = readEvents(request, form === batch);
    if (typeof events === 'string') return this.reject(request, key, 400, 'body-unreadable', events);
    const errors = events.flatMap((event, index) => checkEvent(event, form === batch ? `/${index}` : ''));
    if (errors.length > 0) return invalidAnswer(errors);
    return this.write(key, request, events, form === batch);
  }

  private async write(
    key: ApiKey,
    request: PublishRequest,
    events: readonly JsonObject[],
    isBatch: boolean,
  ): Promise<Answer> {
    try {
      const records = await Promise.all(events.map((event) => this.recordOf(key, request, event)));
      await Promise.all(records.map((record) => this.ports.writer.send(record)));
    } catch (error) {
      if ((error as { retryable?: boolean }).retryable !== true) throw error;
      return {
        ...unavailable('the events could not be stored; send them again with the same ids'),
        source: publishSource,
      };
    }
    const ids = events.map((event) => event.id);
    const body = JSON.stringify(isBatch ? { ids } : { id: ids[0] });
    return { status: 202, headers: { 'content-type': 'application/json' }, body, source: publishSource };
  }

  private async recordOf(key: ApiKey, request: PublishRequest, event: JsonObject): Promise<OutgoingRecord> {
    const topic = topicFamilies.raw(publishSource).name;
    const id = String(event.id);
    const raw: RawRecord = {
      receivedAt: request.receivedAtMs,
      source: publishSource,
      connection: publishSource,
      tenant: key.tenant,
      sourceEventId: id,
      sourceEventType: String(event.type),
      headers: { 'ce-source': String(event.source), 'api-key-id': key.id },
      contentType: structured,
      malformed: false,
      body: Buffer.from(JSON.stringify(event)),
    };
    const value = await this.ports.codec.encode(topic, 'tributary.raw.RawRecord', raw);
    const subject = asIdentifier(event.subject) ?? id;
    return { topic, key: rawKey(key.tenant, publishSource, subject), value, timestampMs: request.receivedAtMs };
  }

  private reject(
    request: PublishRequest,
    key: ApiKey | undefined,
    status: number,
    code: string,
    reason: string,
  ): Answer {
    this.ports.onRejection({
      connectionId: publishSource,
      status,
      code,
      reason,
      payloadDigest: sha256Hex(request.body),
      source: publishSource,
      ...(key && { tenant: key.tenant }),
    });
    return { status, problem: { code, detail: reason }, source: publishSource };
  }
}

const mediaType = (contentType: string): string => contentType.split(';', 1)[0]?.trim().toLowerCase() ?? '';

/** The events with their ids in place, or why the body cannot be read. */
function readEvents(request: PublishRequest, isBatch: boolean): JsonObject[] | string {
  const text = decodeUtf8(request.body);
  if (text === undefined) return 'the body is not UTF-8';
  if (!isBatch) {
    const body = readJsonText(text);
    if (!body.ok) return body.reason;
    const id = body.value.id ?? request.idempotencyKey;
    return [id === undefined ? body.value : { ...body.value, id }];
  }
  // Wrapped, because the reader of bodies takes objects only and guards against endless nesting.
  const wrapped = readJsonText(`{"events":${text}}`);
  if (!wrapped.ok) return wrapped.reason;
  const { events } = wrapped.value;
  // Text that closes the wrapper's array is no array by itself.
  if (!Array.isArray(events) || !isJson(text)) return 'a batch is a JSON array';
  if (events.length === 0) return 'the batch is empty';
  if (events.length > mostEventsInBatch) return `a batch has at most ${mostEventsInBatch} events`;
  const objects = events.map(asObject);
  return objects.every((event) => event !== undefined)
    ? (objects as JsonObject[])
    : 'every member of a batch is a JSON object';
}

function isJson(text: string): boolean {
  try {
    JSON.parse(text);
    return true;
  } catch {
    return false;
  }
}

function checkEvent(event: JsonObject, at: string): SchemaError[] {
  const errors: SchemaError[] = [];
  const wrong = (name: string, message: string) => errors.push({ at: `${at}/${name}`, message });
  if (event.specversion !== '1.0') wrong('specversion', 'must be "1.0"');
  if (!isShortText(event.id)) wrong('id', 'is missing: a short printable text, or send Idempotency-Key');
  if (!isShortText(event.source)) wrong('source', 'is missing: a short printable URI reference');
  else if (encodeURIComponent(String(event.source)).length > longestSource)
    wrong('source', 'is too long once it is percent-encoded');
  if (event.subject !== undefined && !isShortText(event.subject)) wrong('subject', 'must be a short printable text');
  if (event.time !== undefined && msFromIso(event.time) === null) wrong('time', 'must be an RFC 3339 date and time');
  const parts = typeof event.type === 'string' ? parseEventType(event.type) : undefined;
  if (!parts) wrong('type', 'must be domain.entity.verb of a known domain, such as people.employee.onboarded');
  else errors.push(...checkData(parts.record, event.data, `${at}/data`));
  return errors;
}

const isShortText = (value: unknown): boolean => typeof value === 'string' && asIdentifier(value) !== undefined;

const externalEvent = 'tributary.external.ExternalEvent';

function checkData(record: string, data: unknown, at: string): SchemaError[] {
  if (record === externalEvent || !isRecordName(record)) return [];
  const fields = asObject(data);
  if (!fields) return [{ at, message: `must be an object with the fields of ${record}` }];
  const errors: SchemaError[] = [];
  avroType(record).isValid(fields, {
    noUndeclaredFields: true,
    errorHook: (path, value, type) => {
      const place = [at, ...path].join('/');
      const unknown = undeclaredFields(value, type);
      errors.push(...unknown.map((name) => ({ at: `${place}/${name}`, message: `is not a field of ${type.name}` })));
      if (unknown.length === 0) errors.push({ at: place, message: messageFor(value, String(type)) });
    },
  });
  const id = (avroType(record) as types.RecordType).fields[0]?.name ?? '';
  // Every field has a default, for the sake of compatibility; a fact about nothing is still no fact.
  if (errors.length === 0 && !asIdentifier(fields[id]))
    errors.push({ at: `${at}/${id}`, message: 'is missing: what is this about?' });
  return errors;
}

/** avsc says of an unknown field only which record has it. */
function undeclaredFields(value: unknown, type: Type): string[] {
  const fields = asObject(value);
  if (!fields || !('fields' in type)) return [];
  const declared = new Set((type as types.RecordType).fields.map(({ name }) => name));
  return Object.keys(fields).filter((name) => !declared.has(name));
}

function messageFor(value: unknown, type: string): string {
  const shown = JSON.stringify(value)?.slice(0, 60) ?? 'nothing';
  return `${shown} does not fit ${type.length > 120 ? 'the schema' : type}`;
}

const invalidAnswer = (errors: readonly SchemaError[]): Answer => ({
  status: 422,
  problem: { code: 'schema', detail: 'the events do not fit their schemas', errors: errors.slice(0, 100) },
  source: publishSource,
});
