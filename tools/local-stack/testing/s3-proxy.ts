import { mkdir, mkdtemp, readFile, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { waitUntilHealthy } from '../health.js';
import { cacheFolder, cacheRoot, ensureFetched } from '../java-artifacts.js';
import { loopback, onFreePorts } from '../ports.js';
import { findJava } from '../prerequisites.js';
import { Supervisor } from '../supervisor.js';

const pomFile = fileURLToPath(new URL('./s3-proxy/pom.xml', import.meta.url));

export interface RunningS3 {
  /** Of a bucket that is there. */
  readonly bucket: string;
  readonly accessKeyId: string;
  readonly secretAccessKey: string;
  /** Where its objects lie as files. */
  readonly folder: string;
  stop(): Promise<void>;
}

/** A real server that speaks S3, on this machine, with one empty bucket. */
export async function startS3(): Promise<RunningS3> {
  const home = await mkdtemp(join(tmpdir(), 'tributary-s3-'));
  const supervisor = new Supervisor({ logFile: join(home, 'supervisor.log') });
  supervisor.removeAtEnd(home);
  try {
    return await start(supervisor, home);
  } catch (error) {
    await supervisor.stop();
    throw error;
  }
}

async function start(supervisor: Supervisor, home: string): Promise<RunningS3> {
  const pom = await readFile(pomFile, 'utf8');
  const jars = cacheFolder(cacheRoot(process.env), pom);
  const onProgress = (line: string) => console.log(`s3: ${line}`);
  const logFile = join(home, 's3.log');
  await ensureFetched({
    ...{ supervisor, env: process.env, onProgress, logFile: join(home, 'maven.log') },
    ...{ folder: jars, pom, what: 'the jars of the S3 server for tests', megabytes: 60 },
  });
  const { command: java } = await findJava(process.env, { major: 17, neededBy: 'the S3 server for tests' });
  const [accessKeyId, secretAccessKey] = ['tributary', 'a secret of this test'];
  const folder = join(home, 'store', 'checkpoints');
  await mkdir(folder, { recursive: true });
  return onFreePorts([undefined], async ([port]) => {
    const endpoint = `http://${loopback}:${port}`;
    const properties = {
      's3proxy.endpoint': endpoint,
      's3proxy.authorization': 'aws-v4',
      's3proxy.identity': accessKeyId,
      's3proxy.credential': secretAccessKey,
      'jclouds.provider': 'filesystem-nio2',
      'jclouds.filesystem.basedir': join(home, 'store'),
    };
    const settings = join(home, 's3-proxy.properties');
    await writeFile(
      settings,
      Object.entries(properties)
        .map((pair) => `${pair.join('=')}\n`)
        .join(''),
    );
    const args = ['-XX:TieredStopAtLevel=1', '-Xmx256m', '-DLOG_LEVEL=warn', '-cp', join(jars, 'jars', '*')];
    const process = await supervisor.spawn({
      ...{ name: 's3', command: java, logFile },
      // Java names files in the encoding of the locale, and objects are files here: without one, only ASCII.
      env: { LC_ALL: 'C.UTF-8' },
      args: [...args, 'org.gaul.s3proxy.Main', '--properties', settings],
    });
    const probe = async () => {
      const answer = await fetch(endpoint, { signal: AbortSignal.timeout(3_000) });
      await answer.arrayBuffer();
    };
    await waitUntilHealthy({ process, logFile, deadlineMs: 90_000, probe });
    const bucket = `${endpoint}/checkpoints`;
    return { bucket, accessKeyId, secretAccessKey, folder, stop: () => supervisor.stop() };
  });
}
