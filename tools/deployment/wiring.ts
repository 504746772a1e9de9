import type { Setting } from '@tributary/config';

/**
 * Where the chart takes a setting from. `chart`: a template gives it, from values that have a meaning of their own. `secret`: from a Secret,
 * under the variable's own name. `value`: whatever `settings` says, or the default of the code.
 */
export type Origin = 'chart' | 'secret' | 'value';

/** Variables that templates write. Every other one can be set freely. */
const givenByChart: ReadonlySet<string> = new Set([
  'KAFKA_BROKERS',
  'KAFKA_TLS',
  'KAFKA_TLS_CERT_FILE',
  'KAFKA_TLS_KEY_FILE',
  'KAFKA_SASL_MECHANISM',
  'KAFKA_USERNAME',
  'KAFKA_PASSWORD',
  'SCHEMA_REGISTRY_URL',
  'OTEL_EXPORTER_OTLP_ENDPOINT',
  'PORT',
  'HOST',
  'INSTANCE_ID',
  'DESTINATION',
  'TRIBUTARY_KEK_FILE',
  'LEDGER_KEYS_FILE',
  'AUDIT_SIGNING_KEY',
]);

export function originOf({ variable, secret }: Setting<unknown>): Origin {
  if (givenByChart.has(variable)) return 'chart';
  return secret ? 'secret' : 'value';
}
