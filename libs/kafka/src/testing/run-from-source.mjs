// Lets plain Node run this library's TypeScript in a process of its own, whatever dist/ contains. Start it with
// `--experimental-transform-types`; what is added here is the `.js` of relative imports and the names of the libraries.
import { registerHooks } from 'node:module';

const libs = new URL('../../../', import.meta.url);

registerHooks({
  resolve(specifier, context, next) {
    const lib = /^@tributary\/([\w-]+)$/.exec(specifier);
    if (lib) return next(new URL(`${lib[1]}/src/index.ts`, libs).href, context);
    const isOurs = specifier.startsWith('.') && specifier.endsWith('.js') && context.parentURL?.endsWith('.ts');
    return next(isOurs ? `${specifier.slice(0, -3)}.ts` : specifier, context);
  },
});
