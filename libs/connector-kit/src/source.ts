import type { Secrets, SecretsShape, SettingsOf, SettingsShape } from './settings.js';

/** Headers by lower-case name, with every occurrence. */
export type RequestHeaders = Pick<ReadonlyMap<string, readonly string[]>, 'get' | 'has'>;

/** A webhook request as it came in. Header names are in lower case and keep every occurrence. */
export interface WebhookRequest {
  readonly method: string;
  readonly path: string;
  readonly headers: RequestHeaders;
  /** Exactly the bytes received: what is signed. */
  readonly body: Buffer;
  /** The clock of verification. */
  readonly receivedAtMs: number;
}

/** The account at the source that the request's URL names. */
export interface SourceConnection<S extends SettingsShape = SettingsShape> {
  readonly id: string;
  readonly tenant: string;
  readonly settings: SettingsOf<S>;
  readonly secrets: Secrets;
}

export interface HandshakeAnswer {
  readonly status: number;
  readonly headers?: Readonly<Record<string, string>>;
  readonly body?: string;
}

export type Verification =
  | { readonly kind: 'verified' }
  /** 401: no or no right signature. 400: signed in a form that cannot be judged, or outside the time window. */
  | { readonly kind: 'refused'; readonly status: 400 | 401; readonly code: string; readonly reason: string }
  /** Part of setting the webhook up; not an event. `keep`: store it, with these JSON members of the body sealed. */
  | {
      readonly kind: 'handshake';
      readonly answer: HandshakeAnswer;
      readonly keep?: { readonly eventType: string; readonly secretFields: readonly string[] };
    };

export type Description =
  | { readonly kind: 'event'; readonly eventId: string; readonly eventType: string; readonly subject: string }
  /** Signed, and unreadable: kept, marked malformed, answered 400. */
  | { readonly kind: 'malformed'; readonly code: string; readonly reason: string }
  /** Not what this source sends: answered 400, not kept. */
  | { readonly kind: 'refused'; readonly status: 400; readonly code: string; readonly reason: string };

/** What the normalizer reads back from `raw.<source>.v1`. */
export interface RawEvent<S extends SettingsShape = SettingsShape> {
  readonly sourceEventId: string;
  readonly sourceEventType: string;
  /** Those of `keptHeaders` that were sent. */
  readonly headers: Readonly<Record<string, string>>;
  readonly contentType: string;
  readonly body: Buffer;
  readonly receivedAtMs: number;
  readonly connection: string;
  readonly tenant: string;
  readonly settings: SettingsOf<S>;
}

export interface TranslatedEvent {
  /** `domain.entity.verb-past`. */
  readonly type: string;
  /** Absent: no order is promised. */
  readonly subject?: string;
  /** RFC 3339; absent when the source did not say. */
  readonly time?: string;
  readonly data: Readonly<Record<string, unknown>>;
  /** Full name of the Avro record of `data`. Absent: the one that belongs to the type. */
  readonly record?: string;
  /** n of `<id>:<n>` for the n-th child of a split; absent for an event that stands for itself. */
  readonly idSuffix?: number;
}

export type Translation =
  | { readonly kind: 'events'; readonly events: readonly TranslatedEvent[] }
  /** Understood, and of no interest. Recorded as such. */
  | { readonly kind: 'ignored'; readonly reason: string }
  /** Not understood: dead-lettered. */
  | { readonly kind: 'invalid'; readonly reason: string };

export interface SourcePromises {
  /** What the source says about the order of its deliveries. */
  readonly ordering: 'per-subject' | 'none';
  /** What tells a repeat from a new event. */
  readonly deduplication: 'event-id' | 'body-digest';
  /** How the source tries again when we do not answer. Prose, for the docs. */
  readonly retries: string;
}

interface SourceDescription<S extends SettingsShape> {
  /** Lower case, digits and hyphens; part of the raw topic's name. */
  readonly slug: string;
  readonly title: string;
  readonly summary: string;
  readonly settings: S;
  /** Headers stored with the raw record, in lower case. Never one that carries a credential. */
  readonly keptHeaders: readonly string[];
  /** Canonical event types it can make. `*` stands for one part. */
  readonly events: readonly string[];
  readonly promises: SourcePromises;
  readonly limits?: { readonly answerWithinMs?: number };
  describe(request: WebhookRequest, connection: SourceConnection<S>): Description;
  /** Pure: no clock, no environment. Must not throw, whatever the bytes. */
  translate(raw: RawEvent<S>): Translation;
}

export interface SourceDefinition<S extends SettingsShape = SettingsShape> extends SourceDescription<S> {
  /** `internal`: fed by the platform itself, never reachable through a webhook URL. */
  readonly kind: 'webhook' | 'internal';
  readonly secrets: SecretsShape;
  verify(request: WebhookRequest, connection: SourceConnection<S>): Verification;
}

type WebhookSource<S extends SettingsShape> = SourceDescription<S> & {
  readonly kind?: 'webhook';
  readonly secrets?: SecretsShape;
  verify(request: WebhookRequest, connection: SourceConnection<S>): Verification;
};

type InternalSource<S extends SettingsShape> = SourceDescription<S> & {
  readonly kind: 'internal';
  readonly secrets?: never;
  readonly verify?: never;
};

const slugGrammar = /^[a-z][a-z0-9-]*$/;

/**
 * Makes a source from its description.
 * @throws TypeError when something a source cannot do without is missing: a source without a verifier does not load.
 */
export function defineSource<const S extends SettingsShape>(
  description: WebhookSource<S> | InternalSource<S>,
): SourceDefinition<S> {
  const name = String(description.slug);
  if (!slugGrammar.test(name))
    throw new TypeError(`source slug ${JSON.stringify(name)} must match ${slugGrammar.source}`);
  const verify = description.kind === 'internal' ? refuseAlways : description.verify?.bind(description);
  if (typeof verify !== 'function') throw new TypeError(`source ${name} has no verify: verification is not optional`);
  for (const member of ['describe', 'translate'] as const) {
    if (typeof description[member] !== 'function') throw new TypeError(`source ${name} has no ${member}`);
  }
  return Object.freeze({
    ...description,
    kind: description.kind ?? 'webhook',
    secrets: description.secrets ?? {},
    verify,
  });
}

const refuseAlways = (): Verification => ({
  kind: 'refused',
  status: 401,
  code: 'not-a-webhook',
  reason: 'this source takes no webhooks',
});
