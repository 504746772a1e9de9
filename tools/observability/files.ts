import { dashboards } from './dashboards/index.js';
import { renderDashboard } from './render-dashboard.js';
import { renderRules } from './render-rules.js';

const folder = 'k8s/chart/tributary/files/observability';

/** Dashboards and rules as the chart carries them. */
export const observabilityFiles = () => [
  ...dashboards.map((spec) => ({ path: `${folder}/dashboards/${spec.slug}.json`, text: renderDashboard(spec) })),
  {
    path: `${folder}/rules.yaml`,
    text: `# Generated from tools/observability by \`npm run generate\`. Do not edit.\n${renderRules()}`,
  },
];
