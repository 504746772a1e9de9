import { userInfo } from 'node:os';
import {
  databaseSettings,
  kekSettings,
  optionalLedgerKeySettings,
  platformSettings,
  readSettings,
} from '@tributary/config';
import { SchemaAdmin, TopicAdmin } from '@tributary/kafka';
import { Database, type OpenDataKeys, openDataKeys, PersonalReader } from '@tributary/persistence';
import { connectPlatform, openSecrets, type Platform, registryOptions } from '@tributary/runtime';
import { createLogger, type Logger } from '@tributary/telemetry';

/** Connections of one command, opened when first asked for and closed at its end. */
export class Session {
  private readonly closing: Array<() => Promise<void>> = [];
  private opened: { platform?: Platform; admin?: TopicAdmin; database?: Database; held?: OpenDataKeys } = {};
  readonly logger: Logger;
  /** Who acts, for the audit trail. */
  readonly actor: string;

  constructor(logLevel: string, actor = process.env.TRIBUTARY_ACTOR) {
    // Standard output is for answers; what goes wrong below is said on standard error, so logs are off unless asked for.
    this.logger = createLogger({ service: 'tributary', instance: String(process.pid), level: logLevel });
    this.actor = `cli/${actor || userInfo().username}`;
  }

  get platform(): Platform {
    if (!this.opened.platform) {
      const platform = connectPlatform({
        name: 'tributary-cli',
        settings: readSettings(platformSettings),
        logger: this.logger,
        onFatal: (error) => {
          process.stderr.write(`tributary: ${error.message}\n`);
          process.exit(1);
        },
        produceDeadlineMs: 10_000,
      });
      this.opened.platform = platform;
      this.closing.push(() => platform.close());
    }
    return this.opened.platform;
  }

  get admin(): TopicAdmin {
    if (!this.opened.admin) {
      const admin = new TopicAdmin(this.platform.client);
      this.opened.admin = admin;
      this.closing.push(() => admin.close());
    }
    return this.opened.admin;
  }

  get schemas(): SchemaAdmin {
    return new SchemaAdmin(registryOptions(readSettings(platformSettings)));
  }

  get databaseUrl(): string {
    return readSettings(databaseSettings).databaseUrl;
  }

  get database(): Database {
    if (!this.opened.database) {
      const database = new Database({
        url: this.databaseUrl,
        applicationName: 'tributary-cli',
        maxConnections: 4,
        onIdleError: (error) => this.logger.warn({ error }, 'database.connection-lost'),
      });
      this.opened.database = database;
      this.closing.push(() => database.close());
    }
    return this.opened.database;
  }

  /** Undefined without LEDGER_KEYS_FILE: what is personal in the ledger stays locked. */
  get heldKeys(): OpenDataKeys | undefined {
    const { ledgerKeysFile, keysDatabaseUrl } = readSettings(optionalLedgerKeySettings);
    if (!this.opened.held && ledgerKeysFile !== undefined) {
      const held = openDataKeys({
        databaseUrl: this.databaseUrl,
        keysDatabaseUrl,
        keysFile: ledgerKeysFile,
        applicationName: 'tributary-cli',
        onIdleError: (error) => this.logger.warn({ error }, 'key-database.connection-lost'),
      });
      this.opened.held = held;
      this.closing.push(() => held.close());
    }
    return this.opened.held;
  }

  get personal(): PersonalReader | undefined {
    return this.heldKeys && new PersonalReader(this.heldKeys.dataKeys);
  }

  get secrets(): ReturnType<typeof openSecrets> {
    return openSecrets(readSettings(kekSettings).kekFile);
  }

  closeWith(close: () => Promise<void>): void {
    this.closing.push(close);
  }

  async close(): Promise<void> {
    for (const close of this.closing.reverse()) await close();
  }
}
