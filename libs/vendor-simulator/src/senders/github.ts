import { createHmac } from 'node:crypto';
import { sampleTimeSeconds, subjectNumber, type VendorSender } from './sender.js';

const actions = ['opened', 'assigned', 'labeled', 'edited', 'closed'] as const;

export const githubSender: VendorSender = {
  source: 'github',
  signatureHeader: 'X-Hub-Signature-256',
  sample: (n, prefix) => {
    const action = actions[n % actions.length] as string;
    const number = subjectNumber(n) + 1;
    return {
      id: `${prefix}-delivery-${n}`,
      type: 'issues',
      body: {
        action,
        issue: {
          id: 1_000_000 + number,
          number,
          title: `Issue ${number} of ${prefix}`,
          state: action === 'closed' ? 'closed' : 'open',
          html_url: `https://github.com/acme/${prefix}/issues/${number}`,
          updated_at: new Date((sampleTimeSeconds + n) * 1000).toISOString(),
        },
        repository: { id: 2, full_name: `acme/${prefix}` },
        sender: { login: 'ada' },
      },
    };
  },
  headers: ({ event, body, secrets: [secret = ''] }) => ({
    'content-type': 'application/json',
    'user-agent': 'GitHub-Hookshot/sandbox',
    'X-GitHub-Event': event.type,
    'X-GitHub-Delivery': event.id,
    // Sent beside the real one for old receivers.
    'X-Hub-Signature': `sha1=${createHmac('sha1', secret).update(body).digest('hex')}`,
    'X-Hub-Signature-256': `sha256=${createHmac('sha256', secret).update(body).digest('hex')}`,
  }),
};
