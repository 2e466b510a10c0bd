import type { AuthEvents } from '../../src';

/** Every event there is. */
export const EVENT_NAMES = [
  'strategySelected',
  'signedIn',
  'refreshed',
  'refreshFailed',
  'requestRetried',
  'storeFailed',
] as const satisfies (keyof AuthEvents)[];
