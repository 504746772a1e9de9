import kafkajs, { type LogEntry, type logCreator } from 'kafkajs';
import type { Logger } from './logger.js';

/**
 * Lines that kafkajs writes at error or warning level in the ordinary life of a group, a restart of a broker or of our own
 * retry loops. They say what our own log lines say better, so they are for debugging only.
 */
const ordinary = [
  /group is rebalancing/i,
  /rebalanc/i,
  /coordinator is loading/i,
  /not aware of this member/i,
  /coordinator for this group|not the correct coordinator|not available/i,
  /^Response (Heartbeat|JoinGroup|SyncGroup|OffsetFetch|OffsetCommit|FindCoordinator|GroupCoordinator|Metadata|Fetch|ListOffsets)/,
  /^Connection (error|timeout)/,
  /Failed to connect/i,
  /Limiting retries for the idempotent producer/,
  /Failed to send messages/,
  /^Restarting the consumer/,
  /Closed connection/i,
  /^Crash: KafkaJS(NumberOfRetriesExceeded|ConnectionError|ConnectionClosedError|NoBrokerAvailableError|RequestTimeoutError)/,
];

/** Sends kafkajs' log to ours. */
export function kafkaJsLogCreator(logger: Logger): logCreator {
  return () => (entry: LogEntry) => {
    const { message, timestamp: _timestamp, logger: _name, ...fields } = entry.log;
    const line = { component: 'kafkajs', namespace: entry.namespace, ...fields };
    logger[levelOf(entry.level, message)](line, message);
  };
}

function levelOf(level: number, message: string): keyof Logger {
  if (level >= kafkajs.logLevel.INFO) return 'debug';
  if (ordinary.some((pattern) => pattern.test(message))) return 'debug';
  return level === kafkajs.logLevel.ERROR ? 'error' : 'warn';
}
