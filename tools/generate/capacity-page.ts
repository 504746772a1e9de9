import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { limits, type MeasuredCosts, type Needs, needsAt } from '../capacity/derive.js';
import type { GeneratedFile } from './generated-file.js';
import { code, table } from './markdown.js';
import { replaceBetween } from './readme.js';

const path = 'docs/capacity.md';
const measuredPath = 'bench/capacity/measured.json';
const rates = [1_000, 10_000, 100_000];

/** The tables of the capacity page, derived from what was measured last; nothing where there is no such page. */
export function capacityFile(root: string): GeneratedFile[] {
  const [file, measured] = [join(root, path), join(root, measuredPath)];
  if (!existsSync(file) || !existsSync(measured)) return [];
  const costs = JSON.parse(readFileSync(measured, 'utf8')) as MeasuredCosts;
  const blocks = {
    'capacity-costs': costsTable(costs),
    'capacity-needs': needsTable(costs),
    'capacity-limits': limitsTable(costs),
  };
  let text = readFileSync(file, 'utf8');
  for (const [name, block] of Object.entries(blocks)) text = replaceBetween(text, block, { name, path }) ?? text;
  return [{ path, text }];
}

function costsTable({ cpuSecondsPer1000, topicBytesPer1000, tableBytesPer1000, conditions }: MeasuredCosts): string {
  const megabytes = (bytes: number) => `${(bytes / 1e6).toFixed(2)} MB`;
  const rows = [
    ...Object.entries(cpuSecondsPer1000).map(([name, seconds]) => [`CPU of ${name}`, `${seconds.toFixed(3)} s`]),
    ...Object.entries(topicBytesPer1000).map(([name, bytes]) => [`topic ${code(name)}`, megabytes(bytes)]),
    ...Object.entries(tableBytesPer1000).map(([name, bytes]) => [
      `table ${code(name)}, with indexes`,
      megabytes(bytes),
    ]),
  ];
  return `${table(['Of 1,000 events', ''], rows)}\n\nMeasured: ${conditions}.`;
}

function needsTable(costs: MeasuredCosts): string {
  const needs = rates.map((rate) => needsAt(rate, costs));
  const row = (name: string, read: (one: Needs) => string) => [name, ...needs.map(read)];
  const services = needs[0]?.services.map(({ service }) => service) ?? [];
  const rows = [
    ...services.map((service) =>
      row(service, ({ services }) => {
        const found = services.find((one) => one.service === service);
        return found ? `${found.pods} pods, ${rounded(found.cores)} cores` : '-';
      }),
    ),
    ...Object.keys(needs[0]?.partitions ?? {}).map((group) =>
      row(`partitions of what ${group} reads`, ({ partitions }) => String(partitions[group])),
    ),
    row('Kafka: cores, 3 replicas', ({ kafka }) => rounded(kafka.cores)),
    row('Kafka: written a second', ({ kafka }) => `${rounded(kafka.mebibytesPerSecond)} MiB`),
    row('Kafka: disk', ({ kafka }) => `${rounded(kafka.terabytes)} TB`),
    row('PostgreSQL: cores', ({ database }) => rounded(database.cores)),
    row('PostgreSQL: disk a day', ({ database }) => `${rounded(database.gigabytesPerDay)} GB`),
  ];
  return table(['', ...rates.map((rate) => `${rate.toLocaleString('en')} events/s`)], rows);
}

function limitsTable(costs: MeasuredCosts): string {
  const rows = limits(costs).map(({ name, eventsPerSecond }) => [
    name,
    Math.round(eventsPerSecond).toLocaleString('en'),
  ]);
  return table(['One process, or one core of PostgreSQL', 'is 70 % busy at events/s'], rows);
}

const rounded = (value: number): string =>
  value >= 100 ? Math.round(value).toLocaleString('en') : value.toPrecision(2);
