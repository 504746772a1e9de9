/** A fact in our shape: CloudEvents attributes and the canonical record's fields. */
export interface CanonicalEvent {
  /** ce_id. `(source, id)` is the identity of the event. */
  readonly id: string;
  /** ce_source: `/<tenant>/<connection>`. */
  readonly source: string;
  /** ce_type: `domain.entity.verb-past`. */
  readonly type: string;
  readonly tenant: string;
  /** What the event is about. Absent: no order is promised. */
  readonly subject?: string;
  /** RFC 3339; absent when the source did not say when it happened. */
  readonly time?: string;
  /** Fields of the Avro record of this type: timestamps in epoch milliseconds, decimals as text, gaps as null. */
  readonly data: Readonly<Record<string, unknown>>;
}
