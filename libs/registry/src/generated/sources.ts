// Generated from libs/sources and libs/destinations by `npm run generate`. Do not edit.
import type { SourceDefinition } from '@tributary/connector-kit';
import { github as githubSource } from '@tributary/sources/github';
import { gusto as gustoSource } from '@tributary/sources/gusto';
import { publish as publishSource } from '@tributary/sources/publish';
import { standardWebhooks as standardWebhooksSource } from '@tributary/sources/standard-webhooks';
import { stripe as stripeSource } from '@tributary/sources/stripe';

export const sources: readonly SourceDefinition[] = [
  githubSource,
  gustoSource,
  publishSource,
  standardWebhooksSource,
  stripeSource,
];
