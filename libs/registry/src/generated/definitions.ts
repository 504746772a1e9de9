// Generated from libs/sources and libs/destinations by `npm run generate`. Do not edit.
import type { DestinationDefinition, SourceDefinition } from '@tributary/connector-kit';
import { http as httpDestination } from '@tributary/destinations/http';
import { slack as slackDestination } from '@tributary/destinations/slack';
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

export const destinations: readonly DestinationDefinition[] = [
  httpDestination,
  slackDestination,
];
