import * as common from '@grafana/grafana-foundation-sdk/common';
import {
  DashboardBuilder,
  DashboardCursorSync,
  DatasourceVariableBuilder,
  QueryVariableBuilder,
  RowBuilder,
  VariableRefresh,
} from '@grafana/grafana-foundation-sdk/dashboard';
import { DataqueryBuilder } from '@grafana/grafana-foundation-sdk/prometheus';
import * as stat from '@grafana/grafana-foundation-sdk/stat';
import * as timeseries from '@grafana/grafana-foundation-sdk/timeseries';
import type { Choice, DashboardSpec, Panel } from './dashboards/panel.js';

const datasource = { type: 'prometheus', uid: '$datasource' };
const [width, height] = [8, 8];

/** What Grafana imports, and what a ConfigMap with the label grafana_dashboard brings to it. */
export function renderDashboard(spec: DashboardSpec): string {
  const builder = new DashboardBuilder(spec.title)
    .uid(`tributary-${spec.slug}`)
    .description(spec.description)
    .tags(['tributary'])
    .tooltip(DashboardCursorSync.Crosshair)
    .time({ from: 'now-1h', to: 'now' })
    .refresh('30s')
    .withVariable(new DatasourceVariableBuilder('datasource').label('Data source').type('prometheus'));
  for (const choice of spec.choices) builder.withVariable(variableOf(choice));
  for (const { title, panels } of spec.rows) {
    builder.withRow(new RowBuilder(title));
    for (const panel of panels) builder.withPanel(panelOf(panel));
  }
  return `${JSON.stringify(builder.build(), null, 2)}\n`;
}

function variableOf({ name, title, from }: Choice): QueryVariableBuilder {
  return new QueryVariableBuilder(name)
    .label(title)
    .datasource(datasource)
    .query(`label_values(${from.metric}, ${from.label})`)
    .refresh(VariableRefresh.OnTimeRangeChanged)
    .multi(true)
    .includeAll(true)
    .allValue('.+')
    .current({ text: 'All', value: '$__all', selected: true });
}

function panelOf(panel: Panel) {
  return panel.form === 'number' ? numberPanel(panel) : graphPanel(panel);
}

function graphPanel({ title, description, unit, queries }: Panel) {
  const built = new timeseries.PanelBuilder()
    .title(title)
    .description(description)
    .datasource(datasource)
    .unit(unit)
    .min(0)
    .span(width)
    .height(height)
    .legend(
      new common.VizLegendOptionsBuilder()
        .displayMode(common.LegendDisplayMode.List)
        .placement(common.LegendPlacement.Bottom)
        .showLegend(true),
    );
  for (const query of queries) built.withTarget(targetOf(query));
  return built;
}

function numberPanel({ title, description, unit, queries }: Panel) {
  const built = new stat.PanelBuilder()
    .title(title)
    .description(description)
    .datasource(datasource)
    .unit(unit)
    .span(width)
    .height(height);
  for (const query of queries) built.withTarget(targetOf(query));
  return built;
}

const targetOf = ({ expr, legend }: Panel['queries'][number]) =>
  new DataqueryBuilder().datasource(datasource).expr(expr).legendFormat(legend).range();
