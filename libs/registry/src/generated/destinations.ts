// Generated from libs/sources and libs/destinations by `npm run generate`. Do not edit.
import type { DestinationDefinition } from '@tributary/connector-kit';
import { http as httpDestination } from '@tributary/destinations/http';
import { slack as slackDestination } from '@tributary/destinations/slack';

export const destinations: readonly DestinationDefinition[] = [
  httpDestination,
  slackDestination,
];
