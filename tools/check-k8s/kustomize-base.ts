import { stringify } from 'yaml';
import { parseManifests } from '../deployment/manifests.js';
import { type GeneratedFile } from '../generate/generated-file.js';

const folder = 'k8s/kustomize';
const notice = '# Rendered from the chart by `npm run render:k8s`. Do not edit: patch it in an overlay.\n';

/** Kinds that any cluster has. The others need an operator and go into a component of their own. */
const ownGroups = new Set(['v1', 'apps/v1', 'batch/v1', 'policy/v1', 'autoscaling/v2', 'networking.k8s.io/v1']);
const components: Readonly<Record<string, string>> = {
  'keda.sh': 'keda',
  'kafka.strimzi.io': 'strimzi',
  'monitoring.coreos.com': 'monitoring',
  'gateway.networking.k8s.io': 'gateway',
};

export interface Rendered {
  /** With every kind of object there is. */
  readonly everything: string;
  /** What the base is taken from. */
  readonly core: string;
}

/** One file for each place of the kustomize tree. */
export function kustomizeFiles({ everything, core }: Rendered): GeneratedFile[] {
  const places = new Map<string, string[]>([['base', documentsFor('base', core)]]);
  for (const component of Object.values(components)) {
    const place = `components/${component}`;
    places.set(place, documentsFor(place, everything));
  }
  const files = [...places].map(([place, documents]) => ({
    path: `${folder}/${place}/tributary.yaml`,
    text: `${notice}---\n${documents.join('---\n')}`,
  }));
  const lists = [...places.keys()].map((place) => ({
    path: `${folder}/${place}/kustomization.yaml`,
    text: notice + stringify(kustomization(place)),
  }));
  return [...files, ...lists].sort((a, b) => (a.path < b.path ? -1 : 1));
}

const documentsFor = (place: string, rendered: string): string[] =>
  splitDocuments(rendered)
    .filter((document) => placeOf(document) === place)
    .map(withoutHelm);

const splitDocuments = (rendered: string): string[] =>
  rendered
    .split(/^---\n/m)
    .map((one) => one.replace(/^# Source: .*\n/gm, ''))
    .filter((one) => one.trim() !== '');

function placeOf(document: string): string {
  const [object] = parseManifests(document, 'the rendered chart');
  if (!object) throw new Error('the rendered chart has a document without an object');
  // Nobody looks at dashboards where nobody scrapes.
  if (object.metadata.labels?.grafana_dashboard !== undefined) return 'components/monitoring';
  if (ownGroups.has(object.apiVersion)) return 'base';
  const component = components[object.apiVersion.split('/')[0] ?? ''];
  if (component) return `components/${component}`;
  throw new Error(`${object.apiVersion} ${object.kind}: say in kustomize-base.ts which component it belongs to`);
}

/** Labels that would say that Helm looks after it. */
const withoutHelm = (document: string): string =>
  document
    .replace(/^ *helm\.sh\/(chart|resource-policy): .*\n/gm, '')
    .replace(/^ *annotations:\n(?: *#.*\n)*(?= {0,2}\S)/gm, '')
    .replace(/^( *app\.kubernetes\.io\/managed-by:) Helm$/gm, '$1 kustomize');

const kustomization = (place: string) =>
  place === 'base'
    ? { apiVersion: 'kustomize.config.k8s.io/v1beta1', kind: 'Kustomization', resources: ['tributary.yaml'] }
    : { apiVersion: 'kustomize.config.k8s.io/v1alpha1', kind: 'Component', resources: ['tributary.yaml'] };
