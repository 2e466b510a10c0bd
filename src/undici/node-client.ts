import http, { type ClientRequest, type IncomingMessage, type RequestOptions as NodeOptions } from 'node:http';
import https from 'node:https';

/** What axios hands to a `transport`: options as of `http.request`, made by axios from the request's config. */
export interface RequestOptions extends NodeOptions {
  agent?: http.Agent | undefined;
  hostname: string;
  path: string;
  method: string;
  protocol: string;
  headers: Record<string, string | string[]>;
  insecureHTTPParser?: boolean;
}

/** The longest time that a timer can wait, in milliseconds; it takes a longer one for 1. */
export const MAX_TIMER_MS = 2 ** 31 - 1;

/**
 * Sends over Node's own client, with the time-out that axios gives such requests where no transport is in between: it counts
 * the connecting too.
 */
export function sendOverNode(options: RequestOptions, onResponse: (response: IncomingMessage) => void): ClientRequest {
  const request = (options.protocol === 'https:' ? https : http).request(options, onResponse);
  const setIdleTimeout = request.setTimeout;
  request.setTimeout = (wanted, onTimeout = () => {}) => {
    const milliseconds = Math.min(wanted, MAX_TIMER_MS);
    if (milliseconds > 0) {
      const timer = setTimeout(onTimeout, milliseconds);
      for (const end of ['response', 'close']) request.once(end, () => clearTimeout(timer));
    }
    return setIdleTimeout.call(request, milliseconds, onTimeout);
  };
  return request;
}
