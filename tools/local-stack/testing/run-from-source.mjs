// Lets plain Node run this folder's TypeScript in tests that need a process of their own, whatever dist/ contains:
// Node strips the types by itself, only the `.js` of the relative imports has to be read as `.ts`.
import { registerHooks } from 'node:module';

registerHooks({
  resolve(specifier, context, next) {
    const isOurs = specifier.startsWith('.') && specifier.endsWith('.js') && context.parentURL?.endsWith('.ts');
    return next(isOurs ? `${specifier.slice(0, -3)}.ts` : specifier, context);
  },
});
