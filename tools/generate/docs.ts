import { platformSettings } from '@tributary/config';
import { registry, renderIntegrationsTable, topicsOf } from '@tributary/registry';
import { metricCatalogue } from '@tributary/telemetry';
import { observabilityFiles } from '../observability/files.js';
import { type Places, readAppSettings } from './app-settings.js';
import type { GeneratedFile } from './generated-file.js';
import { guaranteesFile } from './guarantees.js';
import { renderMetricsPage } from './metrics-page.js';
import { readmeFile } from './readme.js';
import { renderSettingsPage } from './settings-page.js';
import { renderTopicsPage } from './topics-page.js';

/** Every generated page, from the typed values of the build. */
export async function renderDocs(places: Places): Promise<GeneratedFile[]> {
  const apps = await readAppSettings(places);
  return [
    { path: 'docs/generated/integrations.md', text: renderIntegrationsTable(registry) },
    { path: 'docs/generated/topics.md', text: renderTopicsPage(topicsOf(registry)) },
    { path: 'docs/generated/settings.md', text: renderSettingsPage(platformSettings, apps) },
    { path: 'docs/generated/metrics.md', text: renderMetricsPage(metricCatalogue) },
    ...observabilityFiles(),
    ...readmeFile(places.root, registry),
    ...guaranteesFile(places.root, registry),
  ];
}
