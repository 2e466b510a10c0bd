import { inspect } from 'node:util';
import type { AuthEvents } from './events';

/** What events can be written to: an instance of pino or winston, `console`, or anything with these methods. */
export interface Logger {
  debug(entry: object): unknown;
  info(entry: object): unknown;
  warn(entry: object): unknown;
  error(entry: object): unknown;
}

/** `error`: calls fail. `warn`: somebody should look before they do. */
const LEVELS: Readonly<Record<keyof AuthEvents, keyof Logger>> = {
  strategySelected: 'info',
  signedIn: 'info',
  signInFailed: 'error',
  refreshed: 'info',
  refreshFailed: 'warn',
  credentialExpiring: 'warn',
  actionRequired: 'warn',
  requestRetried: 'debug',
  requestRefused: 'warn',
  storeFailed: 'warn',
};

/**
 * Writes one line for an event: an object with `event`, `message` and the event's detail. A single object is what pino, winston and
 * other structured loggers take alike; `console`, which would spread it over lines, gets one line of JSON by `inspect`.
 */
export function logTo<E extends keyof AuthEvents>(logger: Logger, event: E, detail: AuthEvents[E]): unknown {
  const entry = { event, message: `qelos-auth: ${event}`, ...detail };
  Object.defineProperty(entry, inspect.custom, { value: () => JSON.stringify(entry) });
  return logger[LEVELS[event]](entry);
}
