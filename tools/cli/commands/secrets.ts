import { readFileSync } from 'node:fs';
import { SealingKey } from '@tributary/config';
import { type RawRecord, topicFamilies } from '@tributary/contracts';
import { scanTopic } from '@tributary/kafka';
import { handshakePrefix } from '@tributary/pipeline';
import type { Command } from 'commander';
import { acting, CommandFailure, print } from '../run.js';

export function addSecretCommands(program: Command): void {
  const secrets = program.command('secrets').description('sealed secrets (enc:)');
  secrets
    .command('new-key')
    .description('print a new key-encryption key; keep it in a file that only the services can read')
    .action(() => print(SealingKey.generate()));
  secrets
    .command('seal')
    .description('read a secret from standard input and print its sealed form for a YAML file')
    .action(
      acting(program, async (session) => {
        const { key } = session.secrets;
        if (!key) throw new CommandFailure('set TRIBUTARY_KEK_FILE to the file with the key-encryption key');
        const plain = readFileSync(0, 'utf8').trim();
        if (!plain) throw new CommandFailure('nothing came on standard input');
        print(key.seal(plain));
      }),
    );
  program
    .command('handshakes <source>')
    .description('secrets that a source sent while its webhook was set up, sealed, ready for a YAML file')
    .action(
      acting(program, async (session, source: string) => {
        const { client, codec } = session.platform;
        const values: Buffer[] = [];
        await scanTopic({
          client,
          topic: topicFamilies.raw(source).name,
          onRecord: ({ value }) => {
            if (value) values.push(value);
          },
        });
        for (const value of values) {
          const raw = (await codec.decode<RawRecord>(value, 'tributary.raw.RawRecord')).value;
          if (raw.sourceEventType.startsWith(handshakePrefix)) print(`${raw.connection}  ${raw.body.toString('utf8')}`);
        }
      }),
    );
}
