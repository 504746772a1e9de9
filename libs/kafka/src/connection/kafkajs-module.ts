/** A loaded module of kafkajs, whose exports may be replaced for whoever loads it from now on. */
export function kafkaJsModule(require: NodeJS.Require, path: string): { exports: unknown } {
  const module = require.cache[path];
  if (!module) throw new Error(`kafkajs has no module ${path}; this release of kafkajs is not the one that is patched`);
  return module;
}
