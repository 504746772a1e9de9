import { randomUUID } from 'node:crypto';
import type { ApiKey, AuditRecord } from '@tributary/contracts';
import { apiKeyIn, mayUse } from '@tributary/control';
import { operatedRecord } from '@tributary/domain';
import type { LedgerScope } from '@tributary/persistence';
import type { Answer, RequestBudget } from '@tributary/pipeline';
import { BadAuditQuestion, checkedText, parseAuditFilter } from './audit-filter.js';
import type { AuditReader } from './audit-reader.js';

export interface AuditRequest {
  readonly method: string;
  /** Path and query as they were sent. */
  readonly target: string;
  readonly authorization: string | undefined;
}

export interface AuditApiPorts {
  readonly apiKeyOf: (id: string) => ApiKey | undefined;
  readonly reader: Pick<AuditReader, 'find' | 'story' | 'summary'>;
  readonly budget: Pick<RequestBudget, 'take'>;
  /** Durable when it returns. */
  readonly tell: (record: AuditRecord) => Promise<void>;
  readonly nowMs: () => number;
}

const root = '/v1/audit';
const defaultLimit = 100;

/** The audit API: what a key may see of the ledger. Knows no server. */
export class AuditApi {
  constructor(private readonly ports: AuditApiPorts) {}

  /** Undefined when the path is none of ours. */
  async answer(request: AuditRequest): Promise<Answer | undefined> {
    const { path, query } = partsOf(request.target);
    if (path !== root && !path.startsWith(`${root}/`)) return undefined;
    const key = apiKeyIn(request.authorization, this.ports.apiKeyOf);
    if (!key) return unauthenticated;
    if (!mayUse(key, 'audit:read')) return refusal(403, 'scope-missing', 'this API key may not read the audit trail');
    const seconds = this.ports.budget.take(key.id);
    if (seconds !== undefined) return tooMany(seconds);
    if (request.method !== 'GET' && request.method !== 'HEAD')
      return { ...refusal(405, 'method', 'the audit trail can only be read'), headers: { allow: 'GET, HEAD' } };
    const question = path.slice(root.length + 1);
    const answer = await this.ask(key.tenant === '' ? 'all-tenants' : { tenant: key.tenant }, question, query);
    return answer.status === 200 ? this.toldOf(answer, key, question, query) : answer;
  }

  /** Nobody sees an answer before it is on record that they asked. What they asked is recorded, never what they saw. */
  private async toldOf(answer: Answer, key: ApiKey, question: string, query: string): Promise<Answer> {
    const occurredAtMs = this.ports.nowMs();
    try {
      await this.ports.tell(
        operatedRecord({
          action: 'read',
          entity: `audit:${question.split('/', 1)[0]}`,
          reason: 'api',
          actor: `api-key/${key.id}`,
          occurredAtMs,
          identity: randomUUID(),
          details: { question: recordedQuestion(question, query) },
          ...(key.tenant !== '' && { tenant: key.tenant }),
        }),
      );
      return answer;
    } catch (error) {
      if ((error as { retryable?: boolean }).retryable !== true) throw error;
      return unavailable('it cannot be recorded now that you ask');
    }
  }

  private async ask(scope: LedgerScope, path: string, query: string): Promise<Answer> {
    try {
      const answer = await this.found(scope, path, parametersOf(query));
      return answer ?? refusal(404, 'not-found', 'there is records, events/<id> and summary here');
    } catch (error) {
      if (error instanceof BadAuditQuestion) return refusal(400, 'question-invalid', error.message);
      if (codeOf(error) === queryCancelled)
        return refusal(400, 'question-too-wide', 'this takes too long to find: narrow it, for example by from and to');
      if ((error as { retryable?: boolean }).retryable !== true) throw error;
      return unavailable('the ledger does not answer now');
    }
  }

  private async found(scope: LedgerScope, path: string, given: Parameters): Promise<Answer | undefined> {
    const { reader } = this.ports;
    const [collection = '', id, ...more] = path.split('/');
    if (more.length > 0) return undefined;
    if (collection === 'records' && id === undefined) {
      const { limit, cursor, ...filter } = given;
      return json(await reader.find(scope, parseAuditFilter(filter), { limit: limitOf(limit), cursor }));
    }
    if (collection === 'events' && id !== undefined) {
      onlyOf(given, []);
      const records = await reader.story(scope, checkedText('the event id', decoded(id)));
      if (records.length === 0) return refusal(404, 'event-unknown', 'the ledger knows nothing about this id');
      return json({ records });
    }
    if (collection === 'summary' && id === undefined) {
      onlyOf(given, ['month']);
      const month = given.month ?? '';
      return json({ month, destinations: await reader.summary(scope, month) });
    }
    return undefined;
  }
}

/** Only the first question mark ends the path: others belong to what is asked. */
function partsOf(target: string): { readonly path: string; readonly query: string } {
  const end = target.indexOf('?');
  return end < 0 ? { path: target, query: '' } : { path: target.slice(0, end), query: target.slice(end + 1) };
}

type Parameters = Readonly<Record<string, string>>;

/** @throws BadAuditQuestion for a parameter that comes twice: it would be unclear which one counts. */
function parametersOf(query: string): Parameters {
  const parameters: Record<string, string> = Object.create(null);
  for (const [name, value] of new URLSearchParams(query)) {
    if (name in parameters) throw new BadAuditQuestion(`${name.slice(0, 50)} is there twice`);
    parameters[name] = value;
  }
  return parameters;
}

function onlyOf(given: Parameters, known: readonly string[]): void {
  const unknown = Object.keys(given).find((name) => !known.includes(name));
  if (unknown !== undefined) throw new BadAuditQuestion(`${unknown.slice(0, 50)} means nothing here`);
}

function limitOf(text: string | undefined): number {
  if (text === undefined) return defaultLimit;
  return /^\d{1,5}$/.test(text) ? Number(text) : Number.NaN;
}

function decoded(part: string): string {
  try {
    return decodeURIComponent(part);
  } catch {
    throw new BadAuditQuestion('the event id is not percent-encoded as it should be');
  }
}

/** PostgreSQL's, for a statement that took longer than it may. */
const queryCancelled = '57014';

function codeOf(error: unknown): unknown {
  const { code, cause } = error as { code?: unknown; cause?: { code?: unknown } };
  return cause?.code ?? code;
}

const json = (body: unknown): Answer => ({
  status: 200,
  headers: { 'content-type': 'application/json', 'cache-control': 'no-store' },
  body: `${JSON.stringify(body)}\n`,
});

const refusal = (status: number, code: string, detail: string): Answer => ({ status, problem: { code, detail } });

const unavailable = (why: string): Answer => ({
  ...refusal(503, 'unavailable', `${why}; ask again`),
  headers: { 'retry-after': '5' },
});

/** A person who is forgotten later must not live on in what others asked. A cursor says where, not what. */
function recordedQuestion(question: string, query: string): string {
  const asked = new URLSearchParams(query);
  if (asked.has('subject')) asked.set('subject', 'given');
  asked.delete('cursor');
  const filters = asked.toString();
  return filters === '' ? question : `${question}?${filters}`;
}

const unauthenticated: Answer = {
  ...refusal(401, 'api-key-wrong', 'a valid API key is needed: Authorization: Bearer <key>'),
  headers: { 'www-authenticate': 'Bearer' },
};

const tooMany = (seconds: number): Answer => ({
  ...refusal(429, 'rate', 'this API key asks more than its budget'),
  headers: { 'retry-after': String(seconds) },
});
