import { execFile } from 'node:child_process';
import { readdir, readFile, readlink } from 'node:fs/promises';
import { connect, createServer, type Server } from 'node:net';
import { promisify } from 'node:util';
import { LocalStackError, type PartFailed } from './errors.js';

const run = promisify(execFile);
export const loopback = '127.0.0.1';

export function parsePort(text: string, from: string): number {
  const port = Number(text);
  if (/^\d{1,5}$/.test(text) && port >= 1 && port <= 65_535) return port;
  throw new LocalStackError(`${from} is "${text}"; a port is a whole number from 1 to 65535`);
}

function listen(port: number): Promise<Server> {
  return new Promise((resolve, reject) => {
    const server = createServer();
    server.once('error', reject);
    server.listen({ host: loopback, port, exclusive: true }, () => resolve(server));
  });
}

function close(server: Server): Promise<void> {
  return new Promise((resolve, reject) => server.close((error) => (error ? reject(error) : resolve())));
}

/** Ports that are free and differ from each other. All are held before the first is released. */
export async function freePorts(count: number): Promise<number[]> {
  const servers = await Promise.all(Array.from({ length: count }, () => listen(0)));
  const ports = servers.map((server) => (server.address() as { port: number }).port);
  await Promise.all(servers.map(close));
  return ports;
}

function answers(port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = connect({ host: loopback, port });
    const settle = (isAnswering: boolean) => {
      socket.destroy();
      resolve(isAnswering);
    };
    socket.once('connect', () => settle(true));
    socket.once('error', () => settle(false));
    socket.setTimeout(1_000, () => settle(false));
  });
}

/** Throws when somebody listens on the port, or when this user may not. */
export async function requireFree(port: number, setting: string): Promise<void> {
  try {
    await close(await listen(port));
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    if (code === 'EACCES')
      throw new LocalStackError(`port ${port} (${setting}) needs privileges; choose one above 1023`);
    if (code !== 'EADDRINUSE') throw error;
    throw await taken(port, setting);
  }
  // macOS lets a second listener bind the loopback address while another holds the wildcard.
  if (await answers(port)) throw await taken(port, setting);
}

async function taken(port: number, setting: string): Promise<LocalStackError> {
  const holder = await findHolder(port);
  const by = holder ? ` by ${holder}` : '';
  return new LocalStackError(`port ${port} (${setting}) is taken${by}; free it, choose another or leave it out`);
}

/** "java (pid 123)" where the system tells; undefined where it does not, for instance for another user's process. */
export async function findHolder(port: number): Promise<string | undefined> {
  return process.platform === 'linux' ? holderFromProc(port) : holderFromLsof(port);
}

/** The socket inodes that listen on a port, from the text of /proc/net/tcp or tcp6. */
export function listeningInodes(table: string, port: number): string[] {
  const wanted = port.toString(16).toUpperCase().padStart(4, '0');
  const isListening = '0A';
  return table
    .split('\n')
    .slice(1)
    .map((line) => line.trim().split(/\s+/))
    .filter((columns) => columns[1]?.endsWith(`:${wanted}`) && columns[3] === isListening)
    .map((columns) => columns[9] ?? '');
}

async function holderFromProc(port: number): Promise<string | undefined> {
  const tables = await Promise.all(['tcp', 'tcp6'].map((name) => readOrEmpty(`/proc/net/${name}`)));
  const sockets = new Set(tables.flatMap((table) => listeningInodes(table, port)).map((inode) => `socket:[${inode}]`));
  if (sockets.size === 0) return undefined;
  for (const pid of (await readdir('/proc')).filter((name) => /^\d+$/.test(name))) {
    if (await holdsOne(pid, sockets)) return `${(await readOrEmpty(`/proc/${pid}/comm`)).trim()} (pid ${pid})`;
  }
  return undefined;
}

async function holdsOne(pid: string, sockets: ReadonlySet<string>): Promise<boolean> {
  try {
    const descriptors = await readdir(`/proc/${pid}/fd`);
    const links = await Promise.allSettled(descriptors.map((fd) => readlink(`/proc/${pid}/fd/${fd}`)));
    return links.some((link) => link.status === 'fulfilled' && sockets.has(link.value));
  } catch {
    return false; // ended meanwhile, or not ours to look at: the name is only an extra in the message
  }
}

async function readOrEmpty(path: string): Promise<string> {
  try {
    return await readFile(path, 'utf8');
  } catch {
    return ''; // an optional detail of a message
  }
}

async function holderFromLsof(port: number): Promise<string | undefined> {
  try {
    const { stdout } = await run('lsof', ['-nP', `-iTCP:${port}`, '-sTCP:LISTEN', '-Fpc'], { timeout: 3_000 });
    const pid = /^p(\d+)/m.exec(stdout)?.[1];
    return pid && `${/^c(.+)/m.exec(stdout)?.[1] ?? 'a process'} (pid ${pid})`;
  } catch {
    return undefined; // no lsof: the message does without
  }
}

/**
 * Runs `start` on chosen ports and again on others when one of them was taken between choosing and using it, as two
 * stacks starting together do. An explicit port is never replaced.
 */
export async function onFreePorts<T>(
  explicit: readonly (number | undefined)[],
  start: (ports: number[]) => Promise<T>,
): Promise<T> {
  for (let attempt = 1; ; attempt++) {
    const found = await freePorts(explicit.length);
    const ports = explicit.map((port, index) => port ?? found[index]!);
    try {
      return await start(ports);
    } catch (error) {
      const mayRetry = (error as PartFailed).isPortCollision === true && explicit.includes(undefined);
      if (!mayRetry || attempt === 5) throw error;
    }
  }
}
