// Generated from libs/sources and libs/destinations by `npm run generate`. Do not edit.
import type { DestinationDefinition, SourceDefinition } from '@tributary/connector-kit';
import { http } from '@tributary/destinations/http';
import { slack } from '@tributary/destinations/slack';
import { github } from '@tributary/sources/github';
import { gusto } from '@tributary/sources/gusto';
import { publish } from '@tributary/sources/publish';
import { standardWebhooks } from '@tributary/sources/standard-webhooks';
import { stripe } from '@tributary/sources/stripe';

export const sources: readonly SourceDefinition[] = [
  github,
  gusto,
  publish,
  standardWebhooks,
  stripe,
];

export const destinations: readonly DestinationDefinition[] = [
  http,
  slack,
];
