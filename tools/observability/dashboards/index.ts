import { destinationDashboard } from './destination.js';
import { ledgerDashboard } from './ledger.js';
import { overview } from './overview.js';
import type { DashboardSpec } from './panel.js';
import { runtimeDashboard } from './runtime.js';
import { sourceDashboard } from './source.js';

export const dashboards: readonly DashboardSpec[] = [
  overview,
  destinationDashboard,
  sourceDashboard,
  ledgerDashboard,
  runtimeDashboard,
];
