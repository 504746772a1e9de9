import { timingSafeEqual } from 'node:crypto';
import type { ApiKey } from '@tributary/contracts';
import { sha256Hex } from '@tributary/domain';

/** What a key may be for. A key without a tenant sees all of them, so it may only read. */
export const apiKeyScopes = ['publish', 'audit:read'] as const;
export type ApiKeyScope = (typeof apiKeyScopes)[number];

/** The key that an Authorization header carries; undefined when it carries none that we know. As slow for a wrong one as for a right one. */
export function apiKeyIn(
  authorization: string | undefined,
  keyOf: (id: string) => ApiKey | undefined,
): ApiKey | undefined {
  const match = /^Bearer ([a-z0-9][a-z0-9-]{0,62})\.([\x21-\x7e]{16,200})$/i.exec(authorization ?? '');
  if (!match) return undefined;
  const key = keyOf(match[1] ?? '');
  const given = Buffer.from(sha256Hex(`${match[1]}.${match[2]}`));
  const wanted = Buffer.from(key?.hash ?? '0'.repeat(64));
  return timingSafeEqual(given, wanted) ? key : undefined;
}

/** Publishing needs a tenant to publish for. */
export const mayUse = ({ scopes, tenant }: Pick<ApiKey, 'scopes' | 'tenant'>, scope: ApiKeyScope): boolean =>
  scopes.includes(scope) && (scope !== 'publish' || tenant !== '');
