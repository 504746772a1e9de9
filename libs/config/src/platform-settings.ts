import { choice, fraction, integer, nonEmptyList, optionalChoice, optionalText, text } from './settings.js';

/** Settings that every service has. */
export const platformSettings = {
  brokers: nonEmptyList('KAFKA_BROKERS', 'Kafka brokers, host:port, separated by commas.'),
  registryUrl: text('SCHEMA_REGISTRY_URL', 'Base address of the schema registry (Confluent API).'),
  registryUsername: optionalText('SCHEMA_REGISTRY_USERNAME', 'User name for the schema registry; absent for none.'),
  registryPassword: optionalText(
    'SCHEMA_REGISTRY_PASSWORD',
    'Password for the schema registry, or file:<path>, which is read again for every request.',
    { secret: true },
  ),
  registryCaFile: optionalText(
    'SCHEMA_REGISTRY_CA_FILE',
    'Path of the CA (PEM) that the certificate of the schema registry is checked with; absent: those that Node knows.',
  ),
  kafkaTls: text('KAFKA_TLS', 'off, on, or the path of a CA file.', { fallback: 'off' }),
  kafkaCertFile: optionalText(
    'KAFKA_TLS_CERT_FILE',
    'Path of the client certificate (PEM), where the brokers ask for one; KAFKA_TLS must not be off.',
  ),
  kafkaKeyFile: optionalText('KAFKA_TLS_KEY_FILE', 'Path of the key of the client certificate (PEM).'),
  kafkaSaslMechanism: optionalChoice(
    'KAFKA_SASL_MECHANISM',
    'plain, scram-sha-256 or scram-sha-512; absent for none.',
    ['plain', 'scram-sha-256', 'scram-sha-512'],
  ),
  kafkaUsername: optionalText('KAFKA_USERNAME', 'User name for SASL.'),
  kafkaPassword: optionalText(
    'KAFKA_PASSWORD',
    'Password for SASL, or file:<path>, which is read again for every connection.',
    { secret: true },
  ),
  host: text('HOST', 'Address to listen on.', { fallback: '0.0.0.0' }),
  port: integer(
    'PORT',
    'Port for health, metrics and, where the service has one, its HTTP API; 0 picks a free one.',
    8080,
    0,
    65_535,
  ),
  logLevel: choice(
    'LOG_LEVEL',
    'trace, debug, info, warn, error.',
    ['trace', 'debug', 'info', 'warn', 'error', 'fatal', 'silent'],
    'info',
  ),
  instance: optionalText(
    'INSTANCE_ID',
    'Name of this instance in logs and audit records; absent: host name and process id.',
  ),
  otlpEndpoint: optionalText('OTEL_EXPORTER_OTLP_ENDPOINT', 'Where traces go (OTLP over HTTP); absent: nowhere.'),
  traceRatio: fraction('TRACE_RATIO', 'Share of new traces that are sampled.', 0.01),
  shutdownMs: integer(
    'SHUTDOWN_MS',
    'Longest time to finish what is in flight after SIGTERM, in milliseconds.',
    20_000,
  ),
} as const;

/** Key-encryption key, for services that read sealed secrets. */
export const kekSettings = {
  kekFile: optionalText(
    'TRIBUTARY_KEK_FILE',
    'File with the key-encryption key of sealed secrets: 64 hex digits or base64.',
  ),
} as const;

/** Where the ledger's personal data gets its keys. */
const keysDatabaseSetting = optionalText(
  'KEYS_DATABASE_URL',
  "PostgreSQL database of the data keys that the ledger's personal fields are encrypted under; absent: a database beside the ledger's, named after it with _keys at the end. In production a server of its own.",
  { secret: true },
);
const ledgerKeysHelp =
  "File with the ledger's keys, one `<id> <64 hex digits>` a line: `index` for the blind indexes, the others wrap data keys, newest first. `tributary ledger new-keys` prints one.";

/** For services that write the ledger. */
export const ledgerKeySettings = {
  keysDatabaseUrl: keysDatabaseSetting,
  ledgerKeysFile: text('LEDGER_KEYS_FILE', ledgerKeysHelp),
} as const;

/** For those that read it, and can do without what is personal. */
export const optionalLedgerKeySettings = {
  keysDatabaseUrl: keysDatabaseSetting,
  ledgerKeysFile: optionalText('LEDGER_KEYS_FILE', ledgerKeysHelp),
} as const;

export const databaseSettings = {
  databaseUrl: text(
    'DATABASE_URL',
    'PostgreSQL, as postgres://user:password@host:port/database?sslmode=verify-full&sslrootcert=<path>, or file:<path> of a file that holds that; it and the certificates are read again for every connection.',
    { secret: true },
  ),
} as const;
