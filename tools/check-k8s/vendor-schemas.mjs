// Makes k8s/schemas from what others publish: `node tools/check-k8s/vendor-schemas.mjs <kubernetes-validate> <CRDs-catalog> <compose-spec>`.
//   <kubernetes-validate>: the folder `kubernetes_validate` of the Python package of that name (Apache-2.0), which carries the schemas that
//                          Kubernetes publishes with each release.
//   <CRDs-catalog>:        a clone of github.com/datreeio/CRDs-catalog (MIT).
//   <compose-spec>:        a clone of github.com/compose-spec/compose-spec (Apache-2.0).
// Only the kinds that the chart makes, without prose, strict: an unknown field is an error. To take a new minor, add it below and run it.
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';

const minors = ['1.33', '1.34', '1.35', '1.37'];
const kinds = [
  'configmap-v1',
  'cronjob-batch-v1',
  'deployment-apps-v1',
  'horizontalpodautoscaler-autoscaling-v2',
  'ingress-networking-v1',
  'job-batch-v1',
  'namespace-v1',
  'networkpolicy-networking-v1',
  'poddisruptionbudget-policy-v1',
  'secret-v1',
  'service-v1',
  'serviceaccount-v1',
];
const resources = [
  'external-secrets.io/externalsecret_v1',
  'gateway.networking.k8s.io/httproute_v1',
  'kafka.strimzi.io/kafkatopic_v1',
  'kafka.strimzi.io/kafkauser_v1',
  'keda.sh/scaledobject_v1alpha1',
  'keda.sh/triggerauthentication_v1alpha1',
  'monitoring.coreos.com/prometheusrule_v1',
  'monitoring.coreos.com/servicemonitor_v1',
];

const [kubernetes, catalog, compose] = process.argv.slice(2);
if (!kubernetes || !catalog || !compose) {
  console.error(
    'vendor-schemas: give the folder of kubernetes-validate and the clones of CRDs-catalog and compose-spec',
  );
  process.exit(1);
}
const target = new URL('../../k8s/schemas/', import.meta.url).pathname;
const read = (...path) => JSON.parse(readFileSync(join(...path), 'utf8'));
const write = (name, content) => writeFileSync(join(target, name), `${JSON.stringify(content)}\n`);

/** Without what a validator does not read. `description` may also be the name of a property. */
function pruned(schema) {
  if (Array.isArray(schema)) return schema.map(pruned);
  if (typeof schema !== 'object' || schema === null) return schema;
  const entries = Object.entries(schema).filter(
    ([key, value]) => !(key === 'description' && typeof value === 'string') && key !== '$schema' && key !== '$id',
  );
  return Object.fromEntries(entries.map(([key, value]) => [key, pruned(value)]));
}

/** Their own references lead to an address; ours stay in the file. */
const local = (schema) =>
  JSON.parse(JSON.stringify(pruned(schema)).replaceAll(/"\$ref":"[^"#]*#\/\$defs\//g, '"$ref":"#/$defs/'));

const referred = (schema) => [...JSON.stringify(schema).matchAll(/"#\/\$defs\/([^"]+)"/g)].map(([, name]) => name);

function bundleOf(minor) {
  const folder = join(kubernetes, 'kubernetes-json-schema', `v${minor}.0-local-strict`);
  const definitions = read(folder, '_definitions.json').$defs;
  const roots = Object.fromEntries(kinds.map((kind) => [kind, local(read(folder, `${kind}.json`))]));
  const needed = new Map();
  const open = Object.values(roots).flatMap(referred);
  while (open.length > 0) {
    const name = open.pop();
    if (needed.has(name)) continue;
    const definition = local(definitions[name]);
    needed.set(name, definition);
    open.push(...referred(definition));
  }
  return { kinds: roots, $defs: Object.fromEntries([...needed].sort()) };
}

for (const minor of minors) write(`kubernetes-${minor}.json`, bundleOf(minor));
write(
  'resources.json',
  Object.fromEntries(
    resources.map((name) => [name, { ...pruned(read(catalog, `${name}.json`)), additionalProperties: false }]),
  ),
);
write('compose-spec.json', pruned(read(compose, 'schema/compose-spec.json')));
