import {
  asIdentifier,
  asObject,
  asText,
  type JsonObject,
  msFromIso,
  type RawEvent,
  type TranslatedEvent,
  type Translation,
  timeOf,
  typePart,
} from '@tributary/connector-kit';
import { readPayload } from './payload.js';

type ToEvent = (payload: JsonObject, verb: string | undefined) => TranslatedEvent | string;

const projectOf = (payload: JsonObject): string | undefined => asIdentifier(asObject(payload.repository)?.full_name);

const actorOf = (payload: JsonObject): string | null =>
  asText(asObject(payload.sender)?.login) ?? asText(asObject(payload.pusher)?.name);

/** `owner/repo#7` for what has a number, else the repository, else the organisation. */
export function subjectOf(payload: JsonObject): string | undefined {
  const numbered = asObject(payload.issue) ?? asObject(payload.pull_request);
  const number = asIdentifier(numbered?.number);
  const project = projectOf(payload);
  if (project && number) return `${project}#${number}`;
  return project ?? asIdentifier(asObject(payload.organization)?.login);
}

/** What issues and pull requests share. */
function describeItem(payload: JsonObject, item: JsonObject): Readonly<Record<string, unknown>> {
  const project = projectOf(payload) ?? null;
  const number = asText(item.number);
  return {
    key: project !== null && number !== null ? `${project}#${number}` : null,
    title: asText(item.title),
    state: asText(item.state),
    url: asText(item.html_url),
    project,
    actor: actorOf(payload),
    occurredAt: msFromIso(item.updated_at) ?? msFromIso(item.created_at),
  };
}

const toIssue: ToEvent = (payload, verb) => {
  const issue = asObject(payload.issue);
  const issueId = asIdentifier(issue?.id);
  if (!issue || !issueId) return 'the event carries no issue with an id';
  if (!verb) return 'the event carries no action';
  return eventOf(payload, `work.issue.${verb}`, { issueId, ...describeItem(payload, issue) });
};

const toPullRequest: ToEvent = (payload, verb) => {
  const pullRequest = asObject(payload.pull_request);
  const pullRequestId = asIdentifier(pullRequest?.id);
  if (!pullRequest || !pullRequestId) return 'the event carries no pull request with an id';
  if (!verb) return 'the event carries no action';
  const merged = pullRequest.merged === true;
  const type = `work.pull-request.${verb === 'closed' && merged ? 'merged' : verb}`;
  return eventOf(payload, type, { pullRequestId, merged, ...describeItem(payload, pullRequest) });
};

const toPush: ToEvent = (payload) => {
  const pushId = asIdentifier(payload.after);
  if (!pushId) return 'the push names no commit';
  return eventOf(payload, 'work.push.pushed', {
    pushId,
    ref: asText(payload.ref),
    project: projectOf(payload) ?? null,
    commits: Array.isArray(payload.commits) ? payload.commits.length : 0,
    url: asText(payload.compare),
    actor: asText(asObject(payload.pusher)?.name) ?? actorOf(payload),
    occurredAt: msFromIso(asObject(payload.head_commit)?.timestamp),
  });
};

function eventOf(payload: JsonObject, type: string, data: Readonly<Record<string, unknown>>): TranslatedEvent {
  const subject = subjectOf(payload);
  return { type, ...(subject !== undefined && { subject }), ...timeOf(data.occurredAt as number | null), data };
}

const mappings: Readonly<Record<string, ToEvent>> = { issues: toIssue, pull_request: toPullRequest, push: toPush };

export function toCanonical(raw: RawEvent): Translation {
  const body = readPayload(raw.body, raw.contentType);
  if (!body.ok) return { kind: 'invalid', reason: body.reason };
  const [name = '', action] = raw.sourceEventType.split('.', 2);
  if (name === 'ping') return { kind: 'ignored', reason: 'ping: GitHub tries the webhook' };
  const toEvent = Object.hasOwn(mappings, name) ? mappings[name] : undefined;
  if (!toEvent) return { kind: 'ignored', reason: `no mapping for ${raw.sourceEventType}` };
  const event = toEvent(body.value, action === undefined ? undefined : typePart(action));
  return typeof event === 'string' ? { kind: 'invalid', reason: event } : { kind: 'events', events: [event] };
}
