import { type Domain, isDomain } from './domains.js';

/** Full name of the record that carries the events of an entity, by `domain.entity`. */
const recordByEntity: Readonly<Record<string, string>> = {
  'people.employee': 'tributary.people.Employee',
  'payroll.payroll': 'tributary.payroll.Payroll',
  'billing.customer': 'tributary.billing.Customer',
  'billing.invoice': 'tributary.billing.Invoice',
  'billing.payment': 'tributary.billing.Payment',
  'work.issue': 'tributary.work.Issue',
  'work.pull-request': 'tributary.work.PullRequest',
  'work.push': 'tributary.work.Push',
};
const externalEvent = 'tributary.external.ExternalEvent';

const grammar = /^([a-z]+)\.([a-z][a-z0-9-]*)\.([a-z][a-z0-9-]*)$/;

export interface EventTypeParts {
  readonly domain: Domain;
  readonly entity: string;
  readonly verb: string;
  /** Full name of the Avro record that carries events of this type. */
  readonly record: string;
}

/** Reads `domain.entity.verb-past`. Undefined when it is not of that form or the domain is unknown. */
export function parseEventType(type: string): EventTypeParts | undefined {
  const match = grammar.exec(type);
  if (!match) return undefined;
  const [, domain = '', entity = '', verb = ''] = match;
  if (!isDomain(domain)) return undefined;
  return { domain, entity, verb, record: recordByEntity[`${domain}.${entity}`] ?? externalEvent };
}
