import type { SecretReader } from '@tributary/config';
import {
  checkSecrets,
  parseSettings,
  type Secrets,
  type SecretsShape,
  type SettingsShape,
} from '@tributary/connector-kit';
import type { Connection } from '@tributary/contracts';
import type { OnDead, UnknownOutcomePolicy } from '@tributary/domain';
import { type ConnectionLimitsSpec, parseConnectionLimits } from './connection-limits.js';
import type { ControlTable } from './control-table.js';

interface Definition {
  readonly slug: string;
  readonly settings: SettingsShape;
  readonly secrets: SecretsShape;
}

/** A connection with its settings parsed and its secrets read. */
export interface UsableConnection<D extends Definition> {
  readonly id: string;
  readonly tenant: string;
  readonly definition: D;
  readonly settings: Readonly<Record<string, never>>;
  readonly secrets: Secrets;
  /** Undefined: as the definition says. */
  readonly unknownOutcome?: UnknownOutcomePolicy;
  /** Undefined: as the definition says. */
  readonly onDead?: OnDead;
  /** What differs from the definition's limits. */
  readonly limits?: ConnectionLimitsSpec;
}

export type ConnectionLookup<D extends Definition> =
  | { readonly kind: 'usable'; readonly connection: UsableConnection<D> }
  /** No such connection, or one of the other side (a destination where a source is meant). */
  | { readonly kind: 'unknown' }
  /** It exists and cannot be used until a person mends it: a missing secret, wrong settings, an unknown definition. */
  | { readonly kind: 'unusable'; readonly tenant: string; readonly reason: string };

const secretsAreReadAgainAfterMs = 5_000;

interface Cached<D extends Definition> {
  readonly row: Connection;
  readonly readAtMs: number;
  readonly lookup: ConnectionLookup<D>;
}

/**
 * Finds connections by id and makes them usable. Parsed settings and secrets are kept for a few seconds, so that a
 * rotated secret file is picked up soon and a hot path does not touch the disk.
 */
export class ConnectionDirectory<D extends Definition> {
  private readonly cache = new Map<string, Cached<D>>();

  constructor(
    private readonly table: Pick<ControlTable<Connection>, 'get'>,
    private readonly definitionOf: (row: Connection) => D | undefined | 'other-side',
    private readonly secrets: Pick<SecretReader, 'read'>,
    private readonly nowMs: () => number,
  ) {}

  find(id: string): ConnectionLookup<D> {
    const row = this.table.get(id);
    if (!row) {
      this.cache.delete(id);
      return { kind: 'unknown' };
    }
    const cached = this.cache.get(id);
    const now = this.nowMs();
    if (cached && cached.row === row && now - cached.readAtMs < secretsAreReadAgainAfterMs) return cached.lookup;
    const lookup = this.resolve(row);
    this.cache.set(id, { row, readAtMs: now, lookup });
    return lookup;
  }

  /** As `find`, with the secrets read now: they may have been replaced a moment ago. */
  findAnew(id: string): ConnectionLookup<D> {
    this.cache.delete(id);
    return this.find(id);
  }

  private resolve(row: Connection): ConnectionLookup<D> {
    const definition = this.definitionOf(row);
    if (definition === 'other-side') return { kind: 'unknown' };
    const unusable = (reason: string) => ({ kind: 'unusable', tenant: row.tenant, reason }) as const;
    if (!definition) return unusable(`${row.source ?? row.destination} is not known to this build`);
    const members = membersOf(row);
    if (!members) return unusable('its row is not readable; apply it again');
    const settings = parseSettings(definition, members.settings);
    if (!settings.ok) return unusable(settings.errors.join('; '));
    const secrets = this.readSecrets(members.references);
    if (typeof secrets === 'string') return unusable(secrets);
    const pending = (settings.value as Record<string, unknown>).pending === true;
    const problems = checkSecrets(definition, secrets).filter(
      (problem) => !(pending && problem.includes(' is missing')),
    );
    if (problems.length > 0) return unusable(problems.join('; '));
    const limits = parseConnectionLimits(row.limits);
    const { id, tenant, unknownOutcome, onDead } = row;
    if (limits === 'unreadable' || !isPolicy(unknownOutcome) || !isOnDead(onDead)) {
      return unusable('its limits, its unknownOutcome or its onDead are not known to this build; apply it again');
    }
    const connection = {
      id,
      tenant,
      definition,
      settings: settings.value as never,
      secrets,
      ...(unknownOutcome && { unknownOutcome }),
      ...(onDead && { onDead }),
      ...(limits && { limits }),
    };
    return { kind: 'usable', connection };
  }

  /** The secrets by name, or why one cannot be had. */
  private readSecrets(references: Readonly<Record<string, readonly string[]>>): Secrets | string {
    const values: Record<string, string[]> = {};
    for (const [name, list] of Object.entries(references)) {
      values[name] = [];
      for (const reference of list) {
        const reading = this.secrets.read(reference);
        if (!reading.ok) return `secret ${name}: ${reading.reason}`;
        values[name].push(reading.value);
      }
    }
    return values;
  }
}

interface Members {
  readonly settings: unknown;
  readonly references: Readonly<Record<string, readonly string[]>>;
}

/** Undefined when the row holds something else than JSON: it concerns its connection alone, so it must not throw. */
function membersOf(row: Connection): Members | undefined {
  try {
    const references: unknown = JSON.parse(row.secrets);
    if (!isReferences(references)) return undefined;
    return { settings: JSON.parse(row.settings), references };
  } catch {
    return undefined;
  }
}

const isPolicy = (text: string | null): text is UnknownOutcomePolicy | null =>
  text === null || text === 'retry' || text === 'drop' || text === 'hold';

const isOnDead = (text: string | null): text is OnDead | null =>
  text === null || text === 'continue' || text === 'hold';

const isReferences = (value: unknown): value is Members['references'] =>
  typeof value === 'object' &&
  value !== null &&
  Object.values(value).every((list) => Array.isArray(list) && list.every((one) => typeof one === 'string'));
