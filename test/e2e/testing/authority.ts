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

/** A certificate authority for one test, by the openssl of this machine. It may be replaced by another. */
export class Authority {
  /** Whom everybody believes. */
  readonly caFile: string;
  private generation = 0;

  private constructor(private readonly folder: string) {
    this.caFile = join(folder, 'ca.pem');
  }

  static async make(folder: string): Promise<Authority> {
    const made = new Authority(folder);
    await made.makeSigner();
    await made.believe(made.signer.certFile);
    return made;
  }

  /** Another authority signs from now on; the former one is believed as well. */
  async replace(): Promise<void> {
    const former = this.signer.certFile;
    this.generation += 1;
    await this.makeSigner();
    await this.believe(former, this.signer.certFile);
  }

  /** What the former authority signed is worth nothing any more. */
  async dropFormer(): Promise<void> {
    await this.believe(this.signer.certFile);
  }

  private get signer(): Certificate {
    const name = join(this.folder, `ca-${this.generation}`);
    return { certFile: `${name}.pem`, keyFile: `${name}.key` };
  }

  private async makeSigner(): Promise<void> {
    const extensions = ['-addext', 'basicConstraints=critical,CA:TRUE', '-addext', 'keyUsage=keyCertSign'];
    const out = ['-keyout', this.signer.keyFile, '-out', this.signer.certFile];
    const subject = ['-subj', `/CN=Test CA ${this.generation}`];
    await run('openssl', ['req', '-x509', ...keyOptions, '-days', '2', ...subject, ...extensions, ...out]);
  }

  private async believe(...certFiles: readonly string[]): Promise<void> {
    const texts = await Promise.all(certFiles.map((file) => readFile(file, 'utf8')));
    const draft = join(this.folder, randomUUID());
    await writeFile(draft, texts.join(''));
    await rename(draft, this.caFile);
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
      ...[
        'x509',
        '-req',
        '-in',
        `${draft}.csr`,
        '-CA',
        this.signer.certFile,
        '-CAkey',
        this.signer.keyFile,
        '-days',
        '2',
      ],
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
