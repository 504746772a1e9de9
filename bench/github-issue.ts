import { createHmac } from 'node:crypto';

/** The body of GitHub's `issues` webhook, about 1 kB. Events of one subject stay in order. */
export const issueOpened = (subject: number): string =>
  JSON.stringify({
    action: 'opened',
    issue: {
      id: 1000 + subject,
      number: subject,
      title: 'Broken',
      state: 'open',
      html_url: `https://example.com/acme/app/issues/${subject}`,
      body: 'x'.repeat(700),
    },
    repository: { id: 2, full_name: 'acme/app' },
    sender: { login: 'ada' },
  });

/** @param id of the event: GitHub gives each a new one. */
export const signedHeaders = (id: string, body: string, secret: string): Record<string, string> => ({
  'content-type': 'application/json',
  'x-github-event': 'issues',
  'x-github-delivery': id,
  'x-hub-signature-256': `sha256=${createHmac('sha256', secret).update(body).digest('hex')}`,
});
