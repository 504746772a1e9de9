import { execFile } from 'node:child_process';
import { randomUUID } from 'node:crypto';
import { readFile, rename, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { promisify } from 'node:util';

const run = promisify(execFile);

export interface Certificate {
  readonly certFile: string;
  readonly keyFile: string;
}

/** A certificate authority for one test, by the openssl of this machine. */
export class Authority {
  readonly caFile: string;
  private readonly caKeyFile: string;

  private constructor(private readonly folder: string) {
    this.caFile = join(folder, 'ca.pem');
    this.caKeyFile = join(folder, 'ca.key');
  }

  static async make(folder: string): Promise<Authority> {
    const made = new Authority(folder);
    const extensions = ['-addext', 'basicConstraints=critical,CA:TRUE', '-addext', 'keyUsage=keyCertSign'];
    const out = ['-keyout', made.caKeyFile, '-out', made.caFile];
    await run('openssl', ['req', '-x509', ...keyOptions, '-days', '2', '-subj', '/CN=Test CA', ...extensions, ...out]);
    return made;
  }

  /** Signed for a server on this machine and for a client alike. Issuing a name again replaces its files in one step. */
  async issue(name: string): Promise<Certificate> {
    const files = { certFile: join(this.folder, `${name}.pem`), keyFile: join(this.folder, `${name}.key`) };
    const draft = join(this.folder, randomUUID());
    await writeFile(
      `${draft}.ext`,
      'subjectAltName=IP:127.0.0.1,DNS:localhost\nextendedKeyUsage=serverAuth,clientAuth\n',
    );
    await run('openssl', [
      'req',
      ...keyOptions,
      '-subj',
      `/CN=${name}`,
      '-keyout',
      `${draft}.key`,
      '-out',
      `${draft}.csr`,
    ]);
    await run('openssl', [
      ...['x509', '-req', '-in', `${draft}.csr`, '-CA', this.caFile, '-CAkey', this.caKeyFile, '-days', '2'],
      ...['-extfile', `${draft}.ext`, '-out', `${draft}.pem`],
    ]);
    await rename(`${draft}.key`, files.keyFile);
    await rename(`${draft}.pem`, files.certFile);
    return files;
  }

  /** Key and certificate in one file, as Kafka wants them. */
  async issueBoth(name: string): Promise<string> {
    const { certFile, keyFile } = await this.issue(name);
    const file = join(this.folder, `${name}.both.pem`);
    await writeFile(file, `${await readFile(keyFile, 'utf8')}${await readFile(certFile, 'utf8')}`);
    return file;
  }
}

const keyOptions = ['-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:prime256v1', '-nodes'];
