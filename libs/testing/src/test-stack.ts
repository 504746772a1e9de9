import { inject } from 'vitest';

/** Where the real Kafka, registry and PostgreSQL of this test run are. Shared by all files: names must be unique. */
export interface TestStack {
  readonly kafka: { readonly brokers: string[] };
  readonly registry: { readonly url: string };
  readonly postgres: { readonly url: string };
}

declare module 'vitest' {
  interface ProvidedContext {
    testStack: TestStack;
  }
}

/** Only in `*.int-spec.ts` and `*.e2e-spec.ts`; small tests have no stack. */
export function testStack(): TestStack {
  const stack = inject('testStack') as TestStack | undefined;
  if (stack) return stack;
  throw new Error('no stack in this tier: a test that needs Kafka, the registry or PostgreSQL is named *.int-spec.ts');
}
