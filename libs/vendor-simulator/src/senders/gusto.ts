import { createHash, createHmac } from 'node:crypto';
import { sampleTimeSeconds, subjectNumber, type VendorSender } from './sender.js';

const verbs = ['created', 'updated', 'self_onboarding_completed', 'onboarded', 'terminated'] as const;

/** The same text gives the same uuid, so a repeated run repeats its ids. */
function uuidOf(text: string): string {
  const hex = createHash('sha256').update(text).digest('hex');
  return [hex.slice(0, 8), hex.slice(8, 12), `4${hex.slice(13, 16)}`, `8${hex.slice(17, 20)}`, hex.slice(20, 32)].join(
    '-',
  );
}

export const gustoSender: VendorSender = {
  source: 'gusto',
  signatureHeader: 'X-Gusto-Signature',
  sample: (n, prefix) => {
    const id = uuidOf(`${prefix}:event:${n}`);
    const type = `employee.${verbs[n % verbs.length]}`;
    return {
      id,
      type,
      body: {
        uuid: id,
        event_type: type,
        resource_type: 'Company',
        resource_uuid: uuidOf(`${prefix}:company`),
        entity_type: 'Employee',
        entity_uuid: uuidOf(`${prefix}:employee:${subjectNumber(n)}`),
        timestamp: sampleTimeSeconds + n,
      },
    };
  },
  // One signature only: Gusto knows one token at a time.
  headers: ({ body, secrets: [token = ''] }) => ({
    'content-type': 'application/json',
    'X-Gusto-Signature': createHmac('sha256', token).update(body).digest('hex'),
  }),
};
