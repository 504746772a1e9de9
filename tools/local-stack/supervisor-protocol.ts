/** What may be asked of the supervisor process, and what it reports. Plain JSON over Node's IPC channel. */
export interface ProcessSpec {
  /** Shown in messages: `kafka`, `ingress`. */
  readonly name: string;
  readonly command: string;
  readonly args: readonly string[];
  /** Added to the environment of the process that called `spawn`. */
  readonly env?: Readonly<Record<string, string>>;
  readonly cwd?: string;
  /** Receives stdout and stderr, appended. Its folder is created. */
  readonly logFile: string;
  readonly uid?: number;
  readonly gid?: number;
  /** Asks for an orderly end. Default SIGTERM. */
  readonly stopSignal?: NodeJS.Signals;
  /** After this the whole process group is killed. Default 10 s. */
  readonly stopTimeoutMs?: number;
  /** Lower numbers are stopped first, equal ones together. Default 0; the local stack's own parts use 1 and 2. */
  readonly stopOrder?: number;
}

export interface ProcessExit {
  readonly code: number | null;
  readonly signal: NodeJS.Signals | null;
}

export type SupervisorRequest =
  | { kind: 'spawn'; id: number; spec: ProcessSpec }
  | { kind: 'signal'; id: number; signal: NodeJS.Signals }
  | { kind: 'stop'; id: number }
  | { kind: 'removeAtEnd'; path: string }
  | { kind: 'shutDown' };

export type SupervisorEvent =
  | { kind: 'started'; id: number; pid: number }
  | { kind: 'refused'; id: number; reason: string }
  | { kind: 'exited'; id: number; exit: ProcessExit };
