import type { DestinationDefinition, SecretsShape, SettingsShape, SourceDefinition } from '@tributary/connector-kit';
import type { Registry } from './registry.js';

/** Markdown tables of all sources and destinations, with what each can promise. */
export function renderIntegrationsTable(of: Registry): string {
  return [
    '<!-- Generated from the definitions by `npm run generate`. Do not edit. -->',
    '# Sources and destinations',
    '',
    '## Sources',
    '',
    row('Source', 'What', 'Events', 'Repeats are known by', 'Its own order', 'It tries again', 'Settings', 'Secrets'),
    row(...Array.from({ length: 8 }, () => '---')),
    ...[...of.sources.values()].map(sourceRow),
    '',
    '## Destinations',
    '',
    row(
      'Destination',
      'What',
      'Operations',
      'Order',
      'After a crash',
      'No answer',
      'Limited by',
      'In flight, timeout',
      'Settings',
      'Secrets',
    ),
    row(...Array.from({ length: 10 }, () => '---')),
    ...[...of.destinations.values()].map(destinationRow),
    '',
  ].join('\n');
}

const row = (...cells: readonly string[]): string =>
  `| ${cells.map((cell) => cell.replaceAll('|', '\\|').replaceAll('\n', ' ')).join(' | ')} |`;

const code = (text: string): string => `\`${text}\``;

function sourceRow({ slug, title, summary, events, promises, settings, secrets }: SourceDefinition): string {
  return row(
    `${title} (${code(slug)})`,
    summary,
    events.map(code).join(', '),
    promises.deduplication === 'event-id' ? 'event id, else digest of the body' : 'digest of the body',
    promises.ordering === 'per-subject' ? 'kept per subject' : 'not promised',
    promises.retries,
    settingsCell(settings),
    secretsCell(secrets),
  );
}

const afterUnknown = {
  retry: 'sent again',
  drop: 'dead-lettered, not sent again',
  hold: 'connection suspended',
} as const;

function destinationRow(definition: DestinationDefinition): string {
  const { slug, title, summary, operations, promises, limits, unknownOutcome, settings, secrets } = definition;
  return row(
    `${title} (${code(slug)})`,
    summary,
    Object.entries(operations)
      .map(([name, { summary }]) => `${code(name)}: ${summary}`)
      .join(' '),
    promises.ordering === 'per-key' ? 'per key' : 'none',
    promises.idempotency === 'key'
      ? 'once in effect: they drop repeats by our delivery id'
      : 'once, by a claim written before the call; where an attempt was cut off, as without an answer',
    afterUnknown[unknownOutcome],
    limitCell(limits),
    `${limits.maxInFlight} per connection, ${limits.timeoutMs} ms`,
    settingsCell(settings),
    secretsCell(secrets),
  );
}

function limitCell({ scope = 'connection', rate }: DestinationDefinition['limits']): string {
  const by = typeof scope === 'string' ? scope : scope.resource;
  return rate ? `${by}, ${rate.perSecond} a second, ${rate.burst} at once` : by;
}

function settingsCell(settings: SettingsShape): string {
  const cells = Object.entries(settings).map(([name, { help, fallback, presence, choices }]) => {
    const values = choices ? ` One of ${choices.join(', ')}.` : '';
    if (fallback !== undefined) return `${code(name)}: ${help}${values} Default: ${code(String(fallback))}.`;
    return `${code(name)}${presence === 'optional' ? ' (optional)' : ''}: ${help}${values}`;
  });
  return cells.join(' ') || '-';
}

function secretsCell(secrets: SecretsShape): string {
  const cells = Object.entries(secrets).map(
    ([name, { help, optional }]) => `${code(name)}${optional ? ' (optional)' : ''}: ${help}`,
  );
  return cells.join(' ') || '-';
}
