import type { IHeaders, IncomingRecord } from '../records.js';
import { headerValueText } from '../records.js';
import type { FetchedMessage } from './consumer-driver.js';

const noHeaders: IHeaders = Object.freeze({});

/** Decodes what a handler asks for and nothing else. */
export class FetchedRecord implements IncomingRecord {
  private decodedHeaders: Record<string, string> | undefined;

  constructor(
    readonly topic: string,
    readonly partition: number,
    private readonly message: FetchedMessage,
  ) {}

  get offset(): bigint {
    return BigInt(this.message.offset);
  }

  get offsetText(): string {
    return this.message.offset;
  }

  get timestampMs(): number {
    return Number(this.message.timestamp);
  }

  get key(): Buffer | null {
    return this.message.key;
  }

  get value(): Buffer | null {
    return this.message.value;
  }

  get rawHeaders(): IHeaders {
    return this.message.headers ?? noHeaders;
  }

  get headers(): Readonly<Record<string, string>> {
    this.decodedHeaders ??= decodeHeaders(this.rawHeaders);
    return this.decodedHeaders;
  }
}

function decodeHeaders(raw: IHeaders): Record<string, string> {
  // No prototype: a header may be called `constructor` or `__proto__`.
  const headers: Record<string, string> = Object.create(null);
  for (const name in raw) {
    const text = headerValueText(raw[name]);
    if (text !== undefined) headers[name.toLowerCase()] = text;
  }
  return headers;
}
