import type { AuthEvents } from '../../src';

/** Every event there is. */
export const EVENT_NAMES = [
  'strategySelected',
  'signedIn',
  'signInFailed',
  'refreshed',
  'refreshFailed',
  'credentialExpiring',
  'actionRequired',
  'requestRetried',
  'requestRefused',
  'storeFailed',
] as const satisfies (keyof AuthEvents)[];
