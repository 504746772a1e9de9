// Which part may know which. `npm run check:rules` runs it; tools/checks/import-rules.spec.ts proves that every rule
// fires. The comments are printed with a violation, so they say what to do instead.

/** Code that only runs in tests: specs, what they share, and the suites a source or destination is held to. */
const test = [
  '[.](int-|e2e-)?spec[.]ts$',
  '^libs/testing/',
  '^(libs|tools)/[^/]+/(src/)?testing/',
  '^libs/connector-kit/src/contract/',
  '^tools/local-stack/global-setup[.]ts$',
  '^(test|bench)/',
  '^vitest[.]config[.]ts$',
];
const ours = '^(apps|libs|tools|test|bench)/';
const connectors = 'libs/(sources|destinations)';
const npm = (...names) => names.map((name) => `(^|/)node_modules/${name}/`);

/** What each of the lower layers may know of ours, besides itself. Nothing else may be added by convenience. */
const layers = [
  { name: 'contracts-know-nobody', layer: '^libs/contracts/', may: [] },
  { name: 'domain-knows-contracts', layer: '^libs/domain/', may: ['^libs/contracts/src/index[.]ts$'] },
  {
    name: 'connector-kit-knows-domain',
    layer: '^libs/connector-kit/',
    may: ['^libs/(contracts|domain)/src/index[.]ts$'],
  },
  {
    name: 'connectors-know-the-kit',
    layer: `^${connectors}/`,
    may: [`^${connectors}/`, '^libs/(contracts|domain|connector-kit)/src/index[.]ts$'],
  },
];

/** @type {import('dependency-cruiser').IConfiguration} */
export default {
  forbidden: [
    ...layers.map(({ name, layer, may }) => ({
      name,
      severity: 'error',
      comment:
        'contracts <- domain <- connector-kit <- sources, destinations. Move what you need down, or the code that needs it up.',
      from: { path: layer, pathNot: test },
      to: { path: ours, pathNot: [layer, ...may] },
    })),
    {
      name: 'domain-knows-types-only',
      severity: 'error',
      comment: 'The domain decides; it does not carry the wire formats along. Use `import type`.',
      from: { path: '^libs/domain/', pathNot: test },
      to: { path: '^libs/contracts/', dependencyTypesNot: ['type-only'] },
    },
    {
      name: 'connectors-are-strangers',
      severity: 'error',
      comment: 'One vendor is one folder. What two of them share belongs in libs/connector-kit.',
      from: { path: `^${connectors}/([^/]+)/` },
      to: { path: `^${connectors}/`, pathNot: '^libs/$1/$2/' },
    },
    {
      name: 'only-the-registry-knows-all-connectors',
      severity: 'error',
      comment: 'Take them from @tributary/registry: a new source or destination must not need an edit here.',
      from: { path: ours, pathNot: [...test, '^libs/(registry|sources|destinations)/'] },
      to: { path: `^${connectors}/` },
    },
    {
      name: 'ledger-stands-alone',
      severity: 'error',
      comment:
        'An auditor runs the verifier without our systems and reads all of it: it knows Node and itself. Pass the rest in.',
      from: { path: '^libs/ledger/', pathNot: test },
      to: { path: [ours, 'node_modules/'], pathNot: '^libs/ledger/' },
    },
    {
      name: 'no-framework-below-the-apps',
      severity: 'error',
      comment: 'These layers run without Kafka, Nest or a database, and are tested without them.',
      from: { path: `^(libs/(contracts|domain|connector-kit)|${connectors})/` },
      to: { path: ['^libs/(kafka|persistence)/', ...npm('@?kafkajs', '@nestjs', 'pg', 'typeorm')] },
    },
    {
      name: 'kafkajs-behind-libs-kafka',
      severity: 'error',
      comment: 'kafkajs is unmaintained and replaceable only while one library knows it: use @tributary/kafka.',
      from: { path: ours, pathNot: [...test, '^libs/kafka/', '^tools/local-stack/'] },
      to: { path: npm('@?kafkajs') },
    },
    {
      name: 'database-behind-libs-persistence',
      severity: 'error',
      comment: 'SQL has one home: put the query into libs/persistence.',
      from: { path: ours, pathNot: [...test, '^libs/persistence/', '^tools/local-stack/'] },
      to: { path: npm('pg', 'pg-[^/]+', 'typeorm') },
    },
    {
      name: 'nobody-imports-an-app',
      severity: 'error',
      // The generator of docs/generated loads the apps' built settings files as data, by a path it computes, because
      // a setting is declared where it is used. That is no import: nothing is compiled or typed against an app.
      comment: 'Services talk through Kafka. What two of them share belongs in a library.',
      from: { path: '^apps/([^/]+)/' },
      to: { path: '^apps/', pathNot: '^apps/$1/' },
    },
    {
      name: 'no-app-below-the-apps',
      severity: 'error',
      comment: 'A library or tool that needs an app is in the wrong place, or the code is.',
      from: { path: '^(libs|tools|bench|test)/' },
      to: { path: '^apps/' },
    },
    {
      name: 'libraries-know-no-tools',
      severity: 'error',
      comment: 'Tools drive the product; the product does not know them.',
      from: { path: '^(apps|libs)/', pathNot: test },
      to: { path: '^(tools|test|bench)/' },
    },
    {
      name: 'through-the-front-door',
      severity: 'error',
      comment:
        'Import another library by a name that tsconfig.json gives it: what has no such name is its own business.',
      from: { path: '^(libs/(?:sources/|destinations/)?[^/]+|apps/[^/]+|tools|test|bench)/', pathNot: test },
      to: { path: '^libs/', pathNot: '^$1/', dependencyTypesNot: ['aliased'] },
    },
    {
      name: 'no-test-code-in-production',
      severity: 'error',
      comment: 'Tests may use the product, never the other way round.',
      from: { path: ours, pathNot: test },
      to: { path: [...test, ...npm('vitest', '@vitest', 'fast-check', '@nestjs/testing')] },
    },
    {
      name: 'no-development-package-in-production',
      severity: 'error',
      comment: 'It is missing in an installation without development packages: move it to "dependencies".',
      from: { path: '^(apps|libs)/', pathNot: test },
      to: { dependencyTypes: ['npm-dev'], dependencyTypesNot: ['type-only', 'npm'] },
    },
    {
      name: 'only-declared-packages',
      severity: 'error',
      comment: 'It is there by accident, through another package: add it to package.json.',
      from: { path: ours },
      to: { dependencyTypes: ['npm-no-pkg', 'npm-unknown'] },
    },
    {
      name: 'every-import-resolves',
      severity: 'error',
      comment: 'An import that leads nowhere escapes every other rule.',
      from: { path: ours },
      to: { couldNotResolve: true },
    },
    {
      name: 'no-cycles',
      severity: 'error',
      comment: 'Two files that need each other are one file, or need a third.',
      from: { path: ours },
      to: { circular: true },
    },
  ],
  options: {
    exclude: { path: '(^|/)(dist|[.]local|fixtures)/' },
    doNotFollow: { path: 'node_modules' },
    tsConfig: { fileName: 'tsconfig.json' },
    // Types as well: a type import is knowledge of the other side like any other.
    tsPreCompilationDeps: true,
    enhancedResolveOptions: {
      exportsFields: ['exports'],
      conditionNames: ['import', 'require', 'node', 'default', 'types'],
    },
  },
};
