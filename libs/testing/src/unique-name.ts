import { randomBytes } from 'node:crypto';

/** `orders-3f9c2a1b`: valid as a topic, group, tenant or connection id. */
export function uniqueName(prefix: string): string {
  return `${prefix}-${randomBytes(4).toString('hex')}`;
}
