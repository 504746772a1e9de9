/** One event as a vendor would send it, before signing. */
export interface VendorEvent {
  /** The vendor's event id, wherever the vendor puts it. */
  readonly id: string;
  /** The vendor's own event type. */
  readonly type: string;
  readonly body: Readonly<Record<string, unknown>>;
}

export interface SigningInput {
  readonly event: VendorEvent;
  readonly body: Buffer;
  /** Active secrets; a vendor in the middle of a rotation signs with all of them. */
  readonly secrets: readonly string[];
  readonly atMs: number;
}

export type Headers = Readonly<Record<string, string>>;

/** Imitates one vendor: its events and its signature, written apart from the code that verifies them. */
export interface VendorSender {
  readonly source: string;
  readonly signatureHeader: string;
  /** The n-th sample event, from 0. Several in a row are about the same subject, so that order can be seen. */
  sample(n: number, prefix: string): VendorEvent;
  headers(input: SigningInput): Headers;
}

/** How many sample events in a row have one subject. */
const eventsPerSubject = 5;

export const subjectNumber = (n: number): number => Math.floor(n / eventsPerSubject);

/** 2026-01-02T03:04:05Z: samples tell the same story on every run. */
export const sampleTimeSeconds = 1_767_323_045;
