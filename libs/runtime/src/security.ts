import { Agent } from 'node:https';
import { liveFile, liveText } from '@tributary/config';
import type { KafkaConnectionOptions, RegistryOptions } from '@tributary/kafka';
import type { PlatformValues } from './run-service.js';

type KafkaSecurity = Pick<KafkaConnectionOptions, 'ssl' | 'sasl'>;

/**
 * How this process shows who it is, and whom it believes. Files are read for every new connection: the client asks these objects anew
 * each time, so their members are getters.
 * @throws Error when a file cannot be read, half of a client certificate is given, or a certificate without TLS.
 */
export function kafkaSecurity(settings: PlatformValues): KafkaSecurity {
  const ssl = transportOf(settings);
  const { kafkaSaslMechanism, kafkaUsername, kafkaPassword } = settings;
  if (!kafkaSaslMechanism) return ssl;
  if (kafkaUsername === undefined || kafkaPassword === undefined) {
    throw new Error(`KAFKA_SASL_MECHANISM is ${kafkaSaslMechanism}: give KAFKA_USERNAME and KAFKA_PASSWORD too`);
  }
  const [username, password] = [liveText(kafkaUsername), liveText(kafkaPassword)];
  return {
    ...ssl,
    sasl: {
      mechanism: kafkaSaslMechanism as 'plain',
      get username() {
        return username();
      },
      get password() {
        return password();
      },
    },
  };
}

function transportOf({ kafkaTls, kafkaCertFile, kafkaKeyFile }: PlatformValues): Pick<KafkaSecurity, 'ssl'> {
  if ((kafkaCertFile === undefined) !== (kafkaKeyFile === undefined)) {
    throw new Error('KAFKA_TLS_CERT_FILE and KAFKA_TLS_KEY_FILE belong together: give both or neither');
  }
  if (kafkaTls === 'off') {
    if (kafkaCertFile !== undefined) throw new Error('KAFKA_TLS_CERT_FILE is given and KAFKA_TLS is off: set it to on');
    return {};
  }
  const files = { ...(kafkaTls !== 'on' && { ca: kafkaTls }), cert: kafkaCertFile, key: kafkaKeyFile };
  const given = Object.entries(files).filter((entry): entry is [string, string] => entry[1] !== undefined);
  if (given.length === 0) return { ssl: true };
  const ssl = {};
  for (const [name, path] of given) Object.defineProperty(ssl, name, { enumerable: true, get: liveFile(path) });
  return { ssl };
}

/** @throws Error when a file cannot be read, or half of a login is given. */
export function registryOptions(settings: PlatformValues): RegistryOptions {
  const { registryUrl, registryUsername, registryPassword, registryCaFile } = settings;
  if ((registryUsername === undefined) !== (registryPassword === undefined)) {
    throw new Error('SCHEMA_REGISTRY_USERNAME and SCHEMA_REGISTRY_PASSWORD belong together: give both or neither');
  }
  return {
    registryUrl,
    ...(registryUsername !== undefined &&
      registryPassword !== undefined && { auth: login(registryUsername, registryPassword) }),
    ...(registryCaFile !== undefined && { agent: trusting(registryCaFile) }),
  };
}

function login(username: string, password: string): NonNullable<RegistryOptions['auth']> {
  const [readUsername, readPassword] = [liveText(username), liveText(password)];
  return {
    get username() {
      return readUsername();
    },
    get password() {
      return readPassword();
    },
  };
}

function trusting(caFile: string): Agent {
  const ca = liveFile(caFile);
  const agent = new Agent({ keepAlive: true });
  Object.defineProperty(agent.options, 'ca', { enumerable: true, get: ca });
  return agent;
}
