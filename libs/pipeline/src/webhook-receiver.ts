import type { SourceConnection, SourceDefinition, Verification, WebhookRequest } from '@tributary/connector-kit';
import { type RawRecord, topicFamilies } from '@tributary/contracts';
import type { ConnectionLookup } from '@tributary/control';
import { rawKey, sha256Hex } from '@tributary/domain';
import { handshakePrefix } from './normalizer-stage.js';
import type { RecordCodec, RecordWriter } from './ports.js';
import type { Rejection } from './rejection-log.js';
import type { RequestBudget } from './request-budget.js';

export interface Problem {
  readonly code: string;
  readonly detail: string;
  /** What exactly is wrong with the body; `at` is a JSON pointer into it. */
  readonly errors?: readonly { readonly at: string; readonly message: string }[];
}

/** An HTTP answer. `problem`: an `application/problem+json` body is made of it. */
export interface Answer {
  readonly status: number;
  readonly headers?: Readonly<Record<string, string>>;
  readonly body?: string;
  readonly problem?: Problem;
  /** Slug of the source, for metrics; absent when the connection is unknown. */
  readonly source?: string;
}

export interface WebhookReceiverPorts {
  readonly find: (connectionId: string) => ConnectionLookup<SourceDefinition>;
  readonly codec: Pick<RecordCodec, 'encode'>;
  readonly writer: RecordWriter;
  /** By connection. Asked only about those that there are: made-up ids would crowd theirs out. */
  readonly budget: Pick<RequestBudget, 'take'>;
  readonly onRejection: (rejection: Rejection) => void;
  /** Seals a secret that came with a handshake; undefined when the service has no key. */
  readonly seal: ((plain: string) => string) | undefined;
}

/** 503 with the seconds after which a sender may try again. */
export const unavailable = (detail: string): Answer => ({
  status: 503,
  headers: { 'retry-after': '5' },
  problem: { code: 'unavailable', detail },
});

/** 429 with the seconds after which one request more may come. */
export const overBudget = (seconds: number, detail: string, source: string): Answer => ({
  status: 429,
  headers: { 'retry-after': String(seconds) },
  problem: { code: 'rate', detail },
  source,
});

interface Received {
  readonly connectionId: string;
  readonly request: WebhookRequest;
}

/** Webhooks of one connection: verify, write durably, answer. Nothing is answered 2xx before all replicas have it. */
export class WebhookReceiver {
  constructor(private readonly ports: WebhookReceiverPorts) {}

  async receive(connectionId: string, request: WebhookRequest): Promise<Answer> {
    const received = { connectionId, request };
    const found = this.ports.find(connectionId);
    if (found.kind === 'unknown')
      return this.reject(received, undefined, 404, 'connection-unknown', 'there is no such connection');
    // Ours to mend, and it may be mended before the sender gives up.
    if (found.kind === 'unusable') return unavailable(`connection ${connectionId} cannot be used now`);
    const { connection } = found;
    if (connection.definition.kind !== 'webhook') {
      return this.reject(received, undefined, 404, 'connection-unknown', 'there is no such connection');
    }
    const seconds = this.ports.budget.take(connectionId);
    if (seconds !== undefined)
      return overBudget(seconds, 'this connection sends more than its budget', connection.definition.slug);
    const verification = connection.definition.verify(request, connection as SourceConnection);
    switch (verification.kind) {
      case 'refused':
        return this.reject(received, connection, verification.status, verification.code, verification.reason);
      case 'handshake':
        return this.shakeHands(received, connection, verification);
      default:
        return this.accept(received, connection);
    }
  }

  private async accept({ connectionId, request }: Received, connection: Usable): Promise<Answer> {
    const { definition } = connection;
    const description = definition.describe(request, connection as SourceConnection);
    if (description.kind === 'refused') {
      return this.reject(
        { connectionId, request },
        connection,
        description.status,
        description.code,
        description.reason,
      );
    }
    if (description.kind === 'malformed') {
      const digest = sha256Hex(request.body);
      // Signed, so it is theirs: kept byte for byte, and the normalizer dead-letters it.
      const kept = await this.write(request, connection, { id: digest, type: '', subject: digest, malformed: true });
      if (kept) return kept;
      return this.reject({ connectionId, request }, connection, 400, description.code, description.reason);
    }
    const { eventId, eventType, subject } = description;
    const failed = await this.write(request, connection, { id: eventId, type: eventType, subject, malformed: false });
    return failed ?? { status: 200, body: '', source: definition.slug };
  }

  private async shakeHands(
    { connectionId, request }: Received,
    connection: Usable,
    { answer, keep }: Extract<Verification, { kind: 'handshake' }>,
  ): Promise<Answer> {
    if (keep) {
      const body = this.sealedBody(request.body, keep.secretFields);
      if (!body)
        return unavailable(
          `connection ${connectionId}: a handshake brings a secret and this service has no key to seal it`,
        );
      const digest = sha256Hex(body);
      const type = `${handshakePrefix}${keep.eventType}`;
      const failed = await this.write({ ...request, body }, connection, {
        id: digest,
        type,
        subject: digest,
        malformed: false,
      });
      if (failed) return failed;
    }
    return { ...answer, source: connection.definition.slug };
  }

  private sealedBody(body: Buffer, secretFields: readonly string[]): Buffer | undefined {
    const { seal } = this.ports;
    if (secretFields.length === 0) return body;
    if (!seal) return undefined;
    const members = JSON.parse(body.toString('utf8')) as Record<string, unknown>;
    const sealed = Object.entries(members).map(([name, value]) => [
      name,
      secretFields.includes(name) ? seal(String(value)) : value,
    ]);
    return Buffer.from(JSON.stringify(Object.fromEntries(sealed)));
  }

  /** Undefined when durable; else the answer that says it is not. */
  private async write(request: WebhookRequest, connection: Usable, described: Described): Promise<Answer | undefined> {
    const { definition } = connection;
    const topic = topicFamilies.raw(definition.slug).name;
    const raw: RawRecord = {
      receivedAt: request.receivedAtMs,
      source: definition.slug,
      connection: connection.id,
      tenant: connection.tenant,
      sourceEventId: described.id,
      sourceEventType: described.type,
      headers: keptHeaders(request, definition.keptHeaders),
      contentType: request.headers.get('content-type')?.[0] ?? '',
      malformed: described.malformed,
      body: request.body,
    };
    try {
      const value = await this.ports.codec.encode(topic, 'tributary.raw.RawRecord', raw);
      const key = rawKey(connection.tenant, connection.id, described.subject);
      await this.ports.writer.send({ topic, key, value, timestampMs: request.receivedAtMs });
      return undefined;
    } catch (error) {
      if ((error as { retryable?: boolean }).retryable !== true) throw error;
      return { ...unavailable('the event could not be stored; send it again'), source: definition.slug };
    }
  }

  private reject(
    { connectionId, request }: Received,
    connection: Usable | undefined,
    status: number,
    code: string,
    reason: string,
  ): Answer {
    this.ports.onRejection({
      connectionId,
      status,
      code,
      reason,
      payloadDigest: sha256Hex(request.body),
      ...(connection && { tenant: connection.tenant, source: connection.definition.slug }),
    });
    return { status, problem: { code, detail: reason }, ...(connection && { source: connection.definition.slug }) };
  }
}

type Usable = Extract<ConnectionLookup<SourceDefinition>, { kind: 'usable' }>['connection'];

interface Described {
  readonly id: string;
  readonly type: string;
  readonly subject: string;
  readonly malformed: boolean;
}

function keptHeaders(request: WebhookRequest, names: readonly string[]): Record<string, string> {
  const kept: Record<string, string> = {};
  for (const name of names) {
    const values = request.headers.get(name);
    if (values) kept[name] = values.length === 1 ? (values[0] as string) : values.join(', ');
  }
  return kept;
}
