import { type AuditRecord, topics } from '@tributary/contracts';
import { auditKey } from '@tributary/domain';
import type { RecordCodec, RecordWriter } from './ports.js';

const record = 'tributary.audit.AuditRecord';

/** Writes audit records. What it returned for is durable; a stage commits its source only after that. */
export class AuditTrail {
  constructor(
    private readonly writer: RecordWriter,
    private readonly codec: RecordCodec,
  ) {}

  /** @throws retryable errors when Kafka or the registry does not answer: nothing may be committed then. */
  async write(fact: AuditRecord): Promise<void> {
    const value = await this.codec.encode(topics.audit.name, record, fact);
    await this.writer.send({ topic: topics.audit.name, key: auditKey(fact), value, timestampMs: fact.occurredAt });
  }

  /**
   * Writes a fact about something that cannot be undone, such as a delivered message: trying again from the start would
   * do it twice, so this alone is repeated until it is durable or the work is taken away from us.
   */
  async writeUntilDurable(fact: AuditRecord, signal: AbortSignal): Promise<void> {
    return untilDurable(() => this.write(fact), signal);
  }
}

/** Repeats while what it needs does not answer. @throws the last error once the work is taken away from us. */
export async function untilDurable(act: () => Promise<void>, signal: AbortSignal): Promise<void> {
  for (let waitMs = 50; ; waitMs = Math.min(waitMs * 2, 5_000)) {
    try {
      return await act();
    } catch (error) {
      if (signal.aborted || (error as { retryable?: boolean }).retryable !== true) throw error;
      await pause(waitMs, signal);
    }
  }
}

function pause(ms: number, signal: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    const done = () => {
      clearTimeout(timer);
      signal.removeEventListener('abort', done);
      resolve();
    };
    const timer = setTimeout(done, ms);
    signal.addEventListener('abort', done, { once: true });
  });
}
