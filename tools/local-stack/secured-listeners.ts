import { loopback } from './ports.js';

/** A Kafka that asks who one is: over TLS with a password or with a certificate, and with rights for each. */
export interface KafkaSecurity {
  /** PEM: the broker's key (PKCS 8) and certificate. */
  readonly serverPemFile: string;
  /** PEM: whoever signed it, and the certificates of clients. */
  readonly caFile: string;
  /** Passwords by user name, for SCRAM-SHA-512. Letters and digits. */
  readonly users: Readonly<Record<string, string>>;
}

export interface SecuredAddresses {
  /** SASL over TLS. */
  readonly scram: string;
  /** TLS with client certificates; a certificate's common name is its user. */
  readonly mtls: string;
}

export interface ListenerPorts {
  readonly scram: number;
  readonly mtls: number;
}

export const addressesOf = ({ scram, mtls }: ListenerPorts): SecuredAddresses => ({
  scram: `${loopback}:${scram}`,
  mtls: `${loopback}:${mtls}`,
});

/** Passwords and certificates that were revoked end a connection within this time. */
const reauthenticateMs = 20_000;

/** Besides the listeners of every stack. Who is on the plain one may do anything: the stack itself, on this machine. */
export function securedProperties(
  { serverPemFile, caFile }: KafkaSecurity,
  ports: ListenerPorts,
): { readonly listeners: readonly string[]; readonly settings: Readonly<Record<string, string>> } {
  const { scram, mtls } = addressesOf(ports);
  return {
    listeners: [`SCRAM://${scram}`, `MTLS://${mtls}`],
    settings: {
      'listener.security.protocol.map': 'CONTROLLER:PLAINTEXT,PLAINTEXT:PLAINTEXT,SCRAM:SASL_SSL,MTLS:SSL',
      'inter.broker.listener.name': 'PLAINTEXT',
      'sasl.enabled.mechanisms': 'SCRAM-SHA-512',
      'listener.name.scram.scram-sha-512.sasl.jaas.config':
        'org.apache.kafka.common.security.scram.ScramLoginModule required;',
      'ssl.keystore.type': 'PEM',
      'ssl.keystore.location': serverPemFile,
      'ssl.truststore.type': 'PEM',
      'ssl.truststore.location': caFile,
      'listener.name.mtls.ssl.client.auth': 'required',
      'listener.name.mtls.ssl.principal.mapping.rules': 'RULE:^CN=([^,]*).*$/$1/',
      'authorizer.class.name': 'org.apache.kafka.metadata.authorizer.StandardAuthorizer',
      'super.users': 'User:ANONYMOUS',
      'connections.max.reauth.ms': String(reauthenticateMs),
    },
  };
}

/** For Kafka's format tool: users that are there before the first connection. */
export const scramArguments = ({ users }: KafkaSecurity): string[] =>
  Object.entries(users).flatMap(([name, password]) => [
    '--add-scram',
    `SCRAM-SHA-512=[name=${name},password=${password}]`,
  ]);
