import { execFile } from 'node:child_process';
import { existsSync, readdirSync } from 'node:fs';
import { join } from 'node:path';
import { promisify } from 'node:util';
import type { GoPackages, GoTools } from '../go-tools/go-tools.js';

const run = promisify(execFile);
const room = { maxBuffer: 64 * 1024 * 1024 };

export const k8sTools = {
  helm: 'helm.sh/helm/v3/cmd/helm@v3.22.0',
  kubeconform: 'github.com/yannh/kubeconform/cmd/kubeconform@v0.8.0',
  // 5.8.3 wants Go 1.27.
  kustomize: 'sigs.k8s.io/kustomize/kustomize/v5@v5.8.2',
} satisfies GoPackages<string>;

/** Manifests as somebody would give them to a cluster. */
export interface Render {
  /** `chart with production.yaml`, `overlay dev`. */
  readonly name: string;
  readonly text: string;
}

export const chartFolder = 'k8s/chart/tributary';
const valueSets = `${chartFolder}/ci`;
const overlays = 'k8s/kustomize/overlays';

export interface RenderOptions {
  readonly root: string;
  readonly tools: GoTools<keyof typeof k8sTools>;
  /** `1.35`. */
  readonly kubernetes: string;
}

export async function renderChart(
  { root, tools, kubernetes }: RenderOptions,
  valueFile: string,
  set: readonly string[] = [],
): Promise<string> {
  const named = ['--values', valueFile, ...set.flatMap((one) => ['--set', one])];
  const args = ['template', 'tributary', chartFolder, '--namespace', 'tributary', ...named];
  const { stdout } = await run(tools.helm, [...args, '--kube-version', `${kubernetes}.0`], { cwd: root, ...room });
  return stdout;
}

/** The chart with every set of values, and every overlay. @throws Error with what helm or kustomize says. */
export async function renderAll(options: RenderOptions): Promise<Render[]> {
  const { root, tools } = options;
  const renders: Render[] = [];
  for (const file of readdirSync(join(root, valueSets)).sort()) {
    renders.push({ name: `chart with ${file}`, text: await renderChart(options, `${valueSets}/${file}`) });
  }
  for (const overlay of readdirSync(join(root, overlays)).sort()) {
    if (!existsSync(join(root, overlays, overlay, 'kustomization.yaml'))) continue;
    const { stdout } = await run(tools.kustomize, ['build', `${overlays}/${overlay}`], { cwd: root, ...room });
    renders.push({ name: `overlay ${overlay}`, text: stdout });
  }
  return renders;
}

/** @throws Error with what helm finds. */
export async function lintChart({ root, tools, kubernetes }: RenderOptions, valueFile: string): Promise<void> {
  const args = ['lint', '--strict', '--quiet', chartFolder, '--values', valueFile, '--kube-version', `${kubernetes}.0`];
  await run(tools.helm, args, { cwd: root, ...room });
}

export const valueFiles = (root: string): string[] =>
  readdirSync(join(root, valueSets))
    .sort()
    .map((file) => `${valueSets}/${file}`);
