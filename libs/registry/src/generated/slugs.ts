// Generated from libs/sources and libs/destinations by `npm run generate`. Do not edit.
export const sourceSlugs: readonly string[] = ['github', 'gusto', 'publish', 'standard-webhooks', 'stripe'];
export const destinationSlugs: readonly string[] = ['http', 'slack'];
