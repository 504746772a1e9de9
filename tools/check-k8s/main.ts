import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { readChartFacts } from '../deployment/chart-facts.js';
import { findInconsistencies } from '../deployment/consistency.js';
import { type Manifest, parseManifests } from '../deployment/manifests.js';
import { findPolicyProblems } from '../deployment/policy.js';
import { bringUpToDate } from '../generate/generated-file.js';
import { goTools } from '../go-tools/go-tools.js';
import { newDestination, ScaffoldTrial } from '../scaffold/trial.js';
import { kustomizeFiles } from './kustomize-base.js';
import {
  chartFolder,
  k8sTools,
  lintChart,
  type Render,
  type RenderOptions,
  renderAll,
  renderChart,
  valueFiles,
} from './renders.js';
import { knownMinors, unpackSchemas, validate } from './schemas.js';

const kustomizeValues = 'k8s/kustomize/values.yaml';
const say = (line: string) => console.log(`check:k8s: ${line}`);

/** Holds the chart and the overlays against everything that can be known without a cluster; `--render` writes the base instead. */
async function main(args: string[]): Promise<number> {
  const { render = false } = parseArgs({ args, options: { render: { type: 'boolean' } } }).values;
  const root = process.cwd();
  const tools = await goTools(k8sTools, { root, env: process.env, say });
  const minors = knownMinors(root);
  const options = { root, tools, kubernetes: minors[0] ?? '' };
  const base = kustomizeFiles({
    everything: await renderChart(options, kustomizeValues),
    // Where Strimzi makes the topics the Job finds them there; elsewhere it must make them itself.
    core: await renderChart(options, kustomizeValues, ['strimzi.topics=false']),
  });
  const stale = bringUpToDate(base, { check: !render, root });
  for (const file of stale) say(render ? `wrote ${file}` : `stale: ${file}; run \`npm run render:k8s\` and commit it`);
  if (render) return 0;
  const problems = [...(await check(options, minors)), ...(await missingOfAddition(options))];
  for (const problem of problems) say(problem);
  say(`${problems.length + stale.length} problems`);
  return problems.length + stale.length > 0 ? 1 : 0;
}

async function check(options: RenderOptions, minors: readonly string[]): Promise<string[]> {
  const facts = await readChartFacts({ root: options.root, built: join(options.root, 'dist') });
  const problems: string[] = [];
  for (const file of valueFiles(options.root)) {
    await lintChart(options, file).catch((error: Error) => problems.push(`helm lint with ${file}: ${error.message}`));
  }
  problems.push(...(await acceptedMistakes(options)));
  for (const kubernetes of minors) {
    const renders = await renderAll({ ...options, kubernetes });
    problems.push(...(await validateAll({ ...options, kubernetes }, renders)));
    if (kubernetes !== minors[0]) continue;
    for (const { name, text } of renders) {
      const manifests = parseManifests(text, name);
      const found = [...findPolicyProblems(manifests), ...findInconsistencies(manifests, facts)];
      problems.push(...found.map((problem) => `${name}: ${problem}`));
    }
  }
  return problems;
}

async function validateAll({ root, tools, kubernetes }: RenderOptions, renders: readonly Render[]): Promise<string[]> {
  const folder = mkdtempSync(join(tmpdir(), 'tributary-schemas-'));
  try {
    const locations = unpackSchemas(root, kubernetes, folder);
    const problems = await missedMistakes(tools.kubeconform, locations);
    let objects = 0;
    for (const render of renders) {
      const validation = await validate(tools.kubeconform, locations, render);
      objects += validation.objects;
      problems.push(...validation.problems.map((one) => `Kubernetes ${kubernetes}, ${render.name}: ${one}`));
    }
    say(`Kubernetes ${kubernetes}: ${objects} objects in ${renders.length} renders, ${problems.length} invalid`);
    return problems;
  } finally {
    rmSync(folder, { recursive: true });
  }
}

/** A validator that finds nothing in these would find nothing in ours. */
async function missedMistakes(kubeconform: string, locations: readonly string[]): Promise<string[]> {
  const missed: string[] = [];
  for (const [name, text] of Object.entries(mistakes)) {
    const { problems } = await validate(kubeconform, locations, { name, text });
    if (problems.length === 0) missed.push(`the validator accepts ${name}: the schemas are not what they should be`);
  }
  return missed;
}

/** Values that the chart must refuse, with what it must say. */
const refusals: ReadonlyArray<readonly [set: string, message: RegExp]> = [
  ['kafka.borkers=a:1', /borkers/],
  ['kafka.brokers=no-port', /brokers/],
  ['kafka.authentication=tls', /kafka\.tls is false/],
  ['kafka.authentication=scram', /authentication/],
  ['settings.LOG_LEVLE=warn', /LOG_LEVLE/],
  ['settings.KAFKA_BROKERS=a:1', /KAFKA_BROKERS/],
  ['services.router.settings.BODY_LIMIT_BYTES=1', /BODY_LIMIT_BYTES/],
  ['services.rooter.replicas=1', /rooter/],
  ['services.router.scaling.min=0', /min/],
  ['destinations={no-such-one}', /destinations/],
  ['strimzi.users=true', /kafka\.authentication/],
  ['image.digests.router=sha256:12', /digests/],
  ['ingress.gateway.enabled=true,services.ingress.enabled=false', /services\.ingress\.enabled/],
];

async function acceptedMistakes(options: RenderOptions): Promise<string[]> {
  const problems: string[] = [];
  for (const [set, message] of refusals) {
    const said = await renderChart(options, `${chartFolder}/ci/minimal.yaml`, [set]).then(
      () => 'nothing',
      (error: Error) => error.message,
    );
    if (!message.test(said)) problems.push(`the chart should refuse --set ${set}, and says: ${said}`);
  }
  return problems;
}

/** A destination that somebody adds must have everything that those have that are there. */
async function missingOfAddition(options: RenderOptions): Promise<string[]> {
  const trial = await ScaffoldTrial.make(options.root);
  try {
    const rendered = await renderChart({ ...options, root: trial.root }, kustomizeValues);
    const manifests = parseManifests(rendered, 'the chart with one destination more');
    const problems = missingObjects(manifests, `connector-${newDestination}`, 'connector-http');
    say(`a destination that was added: ${problems.length} objects missing in the chart`);
    return problems;
  } finally {
    trial.remove();
  }
}

function missingObjects(manifests: readonly Manifest[], name: string, like: string): string[] {
  const kindsOf = (service: string) =>
    new Set(
      manifests.filter(({ metadata }) => metadata.name.replace(/^tributary-/, '') === service).map(({ kind }) => kind),
    );
  const wanted = kindsOf(like);
  for (const kind of ['Deployment', 'ScaledObject', 'KafkaUser', 'NetworkPolicy', 'PodDisruptionBudget'])
    if (!wanted.has(kind)) return [`the chart makes no ${kind} for ${like}: nothing to compare ${name} with`];
  const found = kindsOf(name);
  return [...wanted]
    .filter((kind) => !found.has(kind))
    .map((kind) => `the chart makes no ${kind} for ${name}, which was added`);
}

const mistakes = {
  'a misspelt field of a Deployment': `{apiVersion: apps/v1, kind: Deployment, metadata: {name: x}, spec: {selector: {}, template: {spec: {containers: [{name: x, imagePullPolice: Always}]}}}}`,
  'a number as metadata of a trigger': `{apiVersion: keda.sh/v1alpha1, kind: ScaledObject, metadata: {name: x}, spec: {scaleTargetRef: {name: x}, triggers: [{type: kafka, metadata: {lagThreshold: 5}}]}}`,
  'an unknown right of a KafkaUser': `{apiVersion: kafka.strimzi.io/v1, kind: KafkaUser, metadata: {name: x}, spec: {authorization: {type: simple, acls: [{resource: {type: topic, name: x}, operations: [Peek]}]}}}`,
  'an unknown field of a ServiceMonitor': `{apiVersion: monitoring.coreos.com/v1, kind: ServiceMonitor, metadata: {name: x}, spec: {selector: {}, endpoint: []}}`,
  'an unknown field of an HTTPRoute': `{apiVersion: gateway.networking.k8s.io/v1, kind: HTTPRoute, metadata: {name: x}, spec: {parents: []}}`,
  'a kind that nobody knows': `{apiVersion: example.com/v1, kind: Thing, metadata: {name: x}}`,
};

try {
  process.exitCode = await main(process.argv.slice(2));
} catch (error) {
  say(error instanceof Error ? error.message : String(error));
  process.exitCode = 1;
}
