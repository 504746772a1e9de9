import { execFile } from 'node:child_process';
import { existsSync, readdirSync } from 'node:fs';
import { join } from 'node:path';
import { LocalStackError } from './errors.js';

const oldestMaven = [3, 8] as const;

/** The oldest Java that runs a part, and the name of the part for the message. */
export interface JavaNeed {
  readonly major: number;
  readonly neededBy: string;
}

export const kafkaJava: JavaNeed = { major: 17, neededBy: 'Kafka 4.3' };
// Its server is compiled for 21, its client libraries for 17: https://github.com/Apicurio/apicurio-registry/pull/7566
export const registryJava: JavaNeed = { major: 21, neededBy: 'Apicurio Registry 3.3' };

/** The major version in the output of `java -version`: `"17.0.15"` is 17, `"1.8.0_392"` is 8. */
export function parseJavaMajor(output: string): number | undefined {
  const match = /version "(\d+)(?:\.(\d+))?/.exec(output);
  if (!match) return undefined;
  const [, first, second] = match;
  return first === '1' ? Number(second) : Number(first);
}

/** `Apache Maven 3.8.7`, with or without the colour codes Maven prints around it. */
export function parseMavenVersion(output: string): [major: number, minor: number] | undefined {
  const match = /Apache Maven (\d+)\.(\d+)/.exec(output);
  return match ? [Number(match[1]), Number(match[2])] : undefined;
}

export interface FoundJava {
  readonly command: string;
  readonly major: number;
}

/**
 * The Java to run with. JAVA_HOME is an order and is obeyed or refused. Without it the one on PATH is taken, or, when
 * that is older than preferred, the newest one in the folders where systems install JDKs.
 */
export async function findJava(
  env: NodeJS.ProcessEnv,
  need: JavaNeed,
  preferredMajor = need.major,
): Promise<FoundJava> {
  if (env.JAVA_HOME) return javaOfHome(env.JAVA_HOME, env, need);
  const onPath = await inspectJava('java', env);
  const ofPath = onPath?.major === undefined ? undefined : { command: 'java', major: onPath.major };
  if (ofPath && ofPath.major >= preferredMajor) return ofPath;
  const installed = await newestInstalled(env);
  const found = [installed, ofPath].filter((java) => java !== undefined).sort((a, b) => b.major - a.major)[0];
  if (found && found.major >= need.major) return found;
  const wish = `${need.neededBy} needs a JDK ${need.major} or newer: install one or set JAVA_HOME`;
  if (!onPath) throw new LocalStackError(`no Java found on the PATH; ${wish}`);
  throw new LocalStackError(`${nameOf(onPath)} found on the PATH; ${wish}`);
}

async function javaOfHome(home: string, env: NodeJS.ProcessEnv, need: JavaNeed): Promise<FoundJava> {
  const command = join(home, 'bin', 'java');
  const found = await inspectJava(command, env);
  const wish = `${need.neededBy} needs a JDK ${need.major} or newer: point JAVA_HOME at one or unset it`;
  if (!found) throw new LocalStackError(`JAVA_HOME is ${home}, but there is no bin/java in it; ${wish}`);
  if (found.major !== undefined && found.major >= need.major) return { command, major: found.major };
  throw new LocalStackError(`${nameOf(found)} found at JAVA_HOME (${home}); ${wish}`);
}

interface Inspected {
  readonly major: number | undefined;
  readonly output: string;
}

async function inspectJava(command: string, env: NodeJS.ProcessEnv): Promise<Inspected | undefined> {
  const output = await versionOutput(command, ['-version'], env);
  return output === undefined ? undefined : { major: parseJavaMajor(output), output };
}

function nameOf({ major, output }: Inspected): string {
  return major === undefined ? `something that is no Java ("${firstLine(output)}")` : `Java ${major}`;
}

async function newestInstalled(env: NodeJS.ProcessEnv): Promise<FoundJava | undefined> {
  const found: FoundJava[] = [];
  for (const command of installedJavas()) {
    const major = (await inspectJava(command, env))?.major;
    if (major !== undefined) found.push({ command, major });
  }
  return found.sort((a, b) => b.major - a.major)[0];
}

function installedJavas(): string[] {
  const folders = [
    { folder: '/usr/lib/jvm', java: 'bin/java' },
    { folder: '/Library/Java/JavaVirtualMachines', java: 'Contents/Home/bin/java' },
  ];
  return folders
    .filter(({ folder }) => existsSync(folder))
    .flatMap(({ folder, java }) => readdirSync(folder).map((name) => join(folder, name, java)))
    .filter((command) => existsSync(command));
}

export async function checkMaven(env: NodeJS.ProcessEnv): Promise<void> {
  const [major, minor] = oldestMaven;
  const wanted = `Maven ${major}.${minor} or newer`;
  const output = await versionOutput('mvn', ['--batch-mode', '--version'], env);
  if (output === undefined) {
    throw new LocalStackError(
      `no Maven found on the PATH; install ${wanted}, it fetches Kafka and the schema registry`,
    );
  }
  const version = parseMavenVersion(output);
  if (version && (version[0] > major || (version[0] === major && version[1] >= minor))) return;
  const found = version ? `Maven ${version.join('.')}` : `something that is no Maven ("${firstLine(output)}")`;
  throw new LocalStackError(`${found} found; fetching Kafka and the schema registry needs ${wanted}: install it`);
}

/** Everything the command printed, also when it failed; undefined when there is no such command. */
function versionOutput(command: string, args: string[], env: NodeJS.ProcessEnv): Promise<string | undefined> {
  return new Promise((resolve) => {
    execFile(command, args, { env, timeout: 30_000 }, (error, stdout, stderr) => {
      const isMissing = error && ['ENOENT', 'EACCES', 'ENOTDIR'].includes(String(error.code));
      resolve(isMissing ? undefined : `${stdout}\n${stderr}`);
    });
  });
}

function firstLine(text: string): string {
  return text.trim().split('\n')[0] ?? '';
}
