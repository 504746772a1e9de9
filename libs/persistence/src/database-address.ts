import { liveText } from '@tributary/config';

/**
 * An address of PostgreSQL, or `file:<path>` of a file that holds one: read again for every connection, as the driver reads the
 * certificates that the address names.
 * @throws Error when the file cannot be read.
 */
export const addressAt = (text: string): (() => string) => liveText(text);

/** The address as it is now, for who connects once. */
export const addressNow = (text: string): string => addressAt(text)();
