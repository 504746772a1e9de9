import type { IHeaders } from 'kafkajs';

export type { IHeaders } from 'kafkajs';

/** One Kafka entry as handlers see it. */
export interface IncomingRecord {
  readonly topic: string;
  readonly partition: number;
  readonly offset: bigint;
  /** Epoch milliseconds of the record's own timestamp. */
  readonly timestampMs: number;
  readonly key: Buffer | null;
  /** Null: a tombstone. */
  readonly value: Buffer | null;
  /** As UTF-8 text. Names are lower-case; of a repeated name the last value counts. */
  readonly headers: Readonly<Record<string, string>>;
  /** As received, to pass through unchanged. */
  readonly rawHeaders: IHeaders;
}

export interface OutgoingRecord {
  readonly topic: string;
  readonly key: Buffer | string | null;
  readonly value: Buffer | null;
  readonly headers?: Readonly<IHeaders>;
  /** Absent: chosen by the key as Java clients do; without a key, spread over all. */
  readonly partition?: number;
  /** Chooses the partition in the key's stead, as Java clients do by key: what shares it shares a partition. */
  readonly partitionBy?: string;
  readonly timestampMs?: number;
}

export interface RecordPosition {
  readonly topic: string;
  readonly partition: number;
  readonly offset: bigint;
}

/** Value of a header whatever the case of its name; undefined when absent. Of a repeated one the last value counts. */
export function headerText(headers: IHeaders | undefined, lowerCaseName: string): string | undefined {
  if (!headers) return undefined;
  const direct = headers[lowerCaseName];
  if (direct !== undefined) return headerValueText(direct);
  for (const name in headers) if (name.toLowerCase() === lowerCaseName) return headerValueText(headers[name]);
  return undefined;
}

export function headerValueText(value: IHeaders[string]): string | undefined {
  const last = Array.isArray(value) ? value[value.length - 1] : value;
  return last === undefined || last === null ? undefined : last.toString();
}
