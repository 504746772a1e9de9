import { parseSettings, type RawEvent, type SourceDefinition, type TranslatedEvent } from '@tributary/connector-kit';
import {
  type Connection,
  isRecordName,
  parseEventType,
  publishSource,
  type RawRecord,
  type RecordName,
  topicFamilies,
} from '@tributary/contracts';
import {
  type AcceptedOutcome,
  acceptedRecord,
  type CanonicalEvent,
  type Coordinates,
  eventKey,
  eventSource,
  type Failure,
  isId,
  type Settlement,
  sha256Hex,
} from '@tributary/domain';
import type { IncomingRecord, OutgoingRecord } from '@tributary/kafka';
import type { Claim, ClaimVerdict } from '@tributary/persistence';
import { activeTraceId } from '@tributary/telemetry';
import type { AuditTrail } from './audit-trail.js';
import { headersOf, originOf, redriveOf } from './event-headers.js';
import type { RecordCodec, RecordWriter, Surroundings } from './ports.js';
import { failureUnlessRetryable, invalidRecord } from './record-failure.js';

export interface NormalizerPorts {
  readonly codec: RecordCodec;
  readonly writer: RecordWriter;
  readonly audit: AuditTrail;
  readonly claim: (claims: readonly Claim[]) => Promise<ClaimVerdict[]>;
  readonly sourceOf: (slug: string) => SourceDefinition | undefined;
  readonly connectionOf: (id: string) => Connection | undefined;
  readonly surroundings: Surroundings;
  readonly actor: string;
  readonly onOutcome: (source: string, outcome: AcceptedOutcome) => void;
}

/** A canonical event with everything needed to write it. */
interface Prepared {
  readonly event: CanonicalEvent;
  readonly outgoing: OutgoingRecord;
}

type Preparation =
  | { readonly kind: 'events'; readonly prepared: readonly Prepared[] }
  | { readonly kind: 'ignored'; readonly reason: string }
  | { readonly kind: 'dead'; readonly failure: Failure };

const done: Settlement = { to: 'commit' };

/** Raw records in, canonical events out: each event once, however often its source sends it. */
export class NormalizerStage {
  constructor(private readonly ports: NormalizerPorts) {}

  async handle(record: IncomingRecord): Promise<Settlement> {
    const raw = await this.read(record);
    if (!raw.ok) return { to: 'deadLetter', failure: raw.failure };
    const preparation = await this.prepare(raw.value, record);
    if (preparation.kind === 'dead') return { to: 'deadLetter', failure: preparation.failure };
    if (preparation.kind === 'ignored') {
      await this.tell(record, raw.value, { outcome: 'filtered', eventIds: [], reason: preparation.reason });
      return done;
    }
    return this.publish(record, raw.value, preparation.prepared);
  }

  /** Called once a raw record is in the dead-letter topic and before its offset is committed. */
  async recordDeath(record: IncomingRecord, failure: Failure): Promise<void> {
    const raw = await this.read(record);
    const known = raw.ok ? raw.value : unreadableRaw(record);
    await this.tell(record, known, {
      outcome: 'dead',
      eventIds: [],
      reason: failure.reason,
      errorClass: failure.errorClass,
    });
  }

  private async read(
    record: IncomingRecord,
  ): Promise<{ ok: true; value: RawRecord } | { ok: false; failure: Failure }> {
    if (!record.value)
      return { ok: false, failure: invalidRecord('decode', 'value-missing', 'the record has no value') };
    try {
      const { value } = await this.ports.codec.decode<RawRecord>(record.value, 'tributary.raw.RawRecord');
      return { ok: true, value };
    } catch (error) {
      return { ok: false, failure: failureUnlessRetryable(error, 'decode') };
    }
  }

  private async prepare(raw: RawRecord, record: IncomingRecord): Promise<Preparation> {
    if (raw.malformed) return dead('decode', 'malformed', 'the signature was right and the body unreadable');
    if (raw.sourceEventType.startsWith(handshakePrefix)) return { kind: 'ignored', reason: 'handshake' };
    const definition = this.ports.sourceOf(raw.source);
    if (!definition) return dead('translate', 'source-unknown', `source ${raw.source} is not known to this build`);
    const settings = this.settingsOf(definition, raw);
    if (!settings.ok) return dead('translate', 'settings-invalid', settings.reason);
    const translation = translate(definition, { ...raw, receivedAtMs: raw.receivedAt, settings: settings.value });
    switch (translation.kind) {
      case 'ignored':
        return { kind: 'ignored', reason: translation.reason };
      case 'invalid':
        return dead('translate', 'untranslatable', translation.reason);
      default:
        return this.prepareEvents(raw, translation.events, record);
    }
  }

  private settingsOf(definition: SourceDefinition, raw: RawRecord) {
    const row = this.ports.connectionOf(raw.connection);
    // A connection that was removed meanwhile has no settings left; sources with defaults for all of them still work.
    const settings = parseSettings(definition, row ? JSON.parse(row.settings) : {});
    if (settings.ok) return { ok: true, value: settings.value } as const;
    return { ok: false, reason: `connection ${raw.connection}: ${settings.errors.join('; ')}` } as const;
  }

  private async prepareEvents(
    raw: RawRecord,
    events: readonly TranslatedEvent[],
    record: IncomingRecord,
  ): Promise<Preparation> {
    const prepared: Prepared[] = [];
    for (const translated of events) {
      const one = await this.prepareEvent(raw, translated, record);
      if ('errorClass' in one) return { kind: 'dead', failure: one };
      prepared.push(one);
    }
    return { kind: 'events', prepared };
  }

  private async prepareEvent(
    raw: RawRecord,
    translated: TranslatedEvent,
    record: IncomingRecord,
  ): Promise<Prepared | Failure> {
    const parts = parseEventType(translated.type);
    if (!parts) return invalidRecord('translate', 'type-invalid', `${translated.type} is not domain.entity.verb-past`);
    const name = translated.record ?? parts.record;
    if (!isRecordName(name)) return invalidRecord('translate', 'record-unknown', `record ${name} has no schema`);
    const event = canonicalEvent(raw, translated);
    const topic = topicFamilies.events(parts.domain).name;
    const value = await this.encode(topic, name, event.data);
    if ('errorClass' in value) return value;
    const key = eventKey(event.tenant, event.subject, event.id);
    return {
      event,
      outgoing: { topic, key, value: value.bytes, headers: headersOf(event, name), timestampMs: record.timestampMs },
    };
  }

  private async encode(topic: string, name: RecordName, data: object): Promise<{ readonly bytes: Buffer } | Failure> {
    try {
      return { bytes: await this.ports.codec.encode(topic, name, data) };
    } catch (error) {
      return failureUnlessRetryable(error, 'translate');
    }
  }

  // Mapping comes before the claim: a vendor's resend of an event that died must not be taken for a duplicate.
  private async publish(record: IncomingRecord, raw: RawRecord, prepared: readonly Prepared[]): Promise<Settlement> {
    const origin = originOf(record);
    const verdicts = await this.ports.claim(prepared.map(({ event }) => claimOf(event, origin)));
    const own = prepared.filter((_, i) => verdicts[i] === 'own');
    const named = own[0] ?? prepared[0];
    const outcome = own.length > 0 ? 'normalized' : prepared.length > 0 ? 'duplicate' : 'filtered';
    await Promise.all([
      ...own.map(({ outgoing }) => this.ports.writer.send(outgoing)),
      this.tell(record, raw, {
        outcome,
        eventIds: own.map(({ event }) => event.id),
        // Of a split, some may be known already: the record names one that this raw record brings.
        ...(named && { event: named.event }),
      }),
    ]);
    return done;
  }

  private async tell(record: IncomingRecord, raw: RawRecord, what: Telling): Promise<void> {
    await this.ports.audit.write(
      acceptedRecord({
        actor: this.ports.actor,
        occurredAtMs: this.ports.surroundings.nowMs(),
        traceId: activeTraceId(),
        tenant: raw.tenant,
        eventSource: what.event?.source ?? eventSource(raw.tenant, raw.connection),
        eventId: what.event?.id ?? raw.sourceEventId,
        eventType: what.event?.type ?? raw.sourceEventType,
        subject: what.event?.subject,
        origin: originOf(record),
        outcome: what.outcome,
        source: raw.source,
        connectionId: raw.connection,
        eventIds: what.eventIds,
        reason: what.reason,
        errorClass: what.errorClass,
        payloadDigest: sha256Hex(record.value ?? ''),
        redrive: redriveOf(record),
      }),
    );
    this.ports.onOutcome(raw.source, what.outcome);
  }
}

interface Telling {
  readonly outcome: AcceptedOutcome;
  readonly eventIds: readonly string[];
  readonly reason?: string;
  readonly errorClass?: string;
  readonly event?: CanonicalEvent;
}

/** Raw records that are part of setting a webhook up carry a type with this prefix. */
export const handshakePrefix = 'handshake.';

function canonicalEvent(raw: RawRecord, translated: TranslatedEvent): CanonicalEvent {
  const suffix = translated.idSuffix === undefined ? '' : `:${translated.idSuffix}`;
  return {
    id: `${raw.sourceEventId}${suffix}`,
    source: canonicalSource(raw),
    type: translated.type,
    tenant: raw.tenant,
    ...(translated.subject !== undefined && { subject: translated.subject }),
    ...(translated.time !== undefined && { time: translated.time }),
    data: translated.data,
  };
}

// Publishers of one tenant name their own sources; ids are unique per source only, so the name is part of the identity.
function canonicalSource(raw: RawRecord): string {
  const base = eventSource(raw.tenant, raw.connection);
  const published = raw.source === publishSource ? raw.headers['ce-source'] : undefined;
  return published ? `${base}/${encodeURIComponent(published)}` : base;
}

const claimOf = (event: CanonicalEvent, raw: Coordinates): Claim => ({
  eventSource: event.source,
  eventId: event.id,
  raw,
});

const dead = (stage: string, code: string, reason: string): Preparation => ({
  kind: 'dead',
  failure: invalidRecord(stage, code, reason),
});

function translate(definition: SourceDefinition, raw: RawEvent) {
  try {
    return definition.translate(raw);
  } catch (error) {
    // A mapping is ours, and a bug in it concerns this record alone; the error's name and place go with the dead letter.
    return { kind: 'invalid', reason: `the mapping of ${definition.slug} failed: ${String(error)}` } as const;
  }
}

function unreadableRaw(record: IncomingRecord): RawRecord {
  const [tenant = '', connection = ''] = (record.key?.toString('utf8') ?? '').split(':');
  return {
    receivedAt: record.timestampMs,
    source: record.topic.split('.')[1] ?? '',
    connection: isId(connection) ? connection : '',
    tenant: isId(tenant) ? tenant : '',
    sourceEventId: '',
    sourceEventType: '',
    headers: {},
    contentType: '',
    malformed: true,
    body: Buffer.alloc(0),
  };
}
