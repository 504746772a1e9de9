/**
 * Names of gates. A scope is a root, for example an account, or a part of one: `account›channel:C1`. A gate of the root stands
 * before all of its parts. Who does not know the part is named by the root, and waits at the gates of all parts: it may be meant.
 */
const separator = '\u203a';

/** The root must not contain the separator; the part may be any text. */
export const scopeWithin = (root: string, part: string): string => `${root}${separator}${part}`;

/** Any text as a root. */
export const rootScope = (text: string): string => text.replaceAll(separator, '%E2%80%BA');

export function rootOf(scope: string): string {
  const end = scope.indexOf(separator);
  return end < 0 ? scope : scope.slice(0, end);
}

/** Whether a gate of the one concerns records of the other. */
export function concerns(gate: string, scope: string): boolean {
  return gate === scope || gate === rootOf(scope) || rootOf(gate) === scope;
}
