import { randomUUID } from 'node:crypto';
import { AuthError } from '../contract/auth-error';
import { Origin } from '../http/origin';
import { ForeignSessions } from './foreign-sessions';

/** What `configure()` and `start()` of `@qelos/plugin-play` need: spread it into their config, behind everything else. */
export interface PluginPlayOptions {
  /** Base URL of the instance. */
  readonly qelosUrl: string;
  /**
   * Not a token but a stand-in for one. It keeps plugin-play from signing in and refreshing by itself, and marks the calls
   * of `getSdk()`: `sdkOptions.fetch` sends those, and no others, with the credential.
   */
  readonly qelosApiToken: string;
  /** For every SDK that plugin-play makes. If you have some of your own, put these behind them. */
  readonly sdkOptions: {
    readonly fetch: typeof globalThis.fetch;
    /** The published SDK would answer a 404 with a refresh, and send the call again. */
    readonly forceRefresh: false;
    /** Stands for the access token of an SDK that was given none. */
    readonly accessToken: string;
  };
}

export interface PluginPlayParts {
  /** Base URL of the instance. */
  readonly url: string;
  /** Sends the calls of our account; takes the credential's header away from no call but its own. */
  readonly fetch: typeof globalThis.fetch;
  /** The time-out of our account's calls in milliseconds, 0 for none: the only thing that other accounts share with it. */
  readonly timeoutMs: () => number;
  /** Makes the error for an answer that is not a success. `body` is the parsed JSON, or the text. */
  readonly failure: (response: Response, body: unknown) => Error;
}

/**
 * Puts the SDKs of `@qelos/plugin-play` (read at 3.11.14) on a pipeline. It lets one in by its `sdkOptions`, which it
 * spreads over the options of every SDK it makes, that of `getSdk()` and those of tenants alike. What tells them apart is the
 * API token: only `getSdk()` is given the one in its config. Not the origin, as a tenant may well live on our own instance,
 * and must not act as us there.
 */
export function playOptions({ url, fetch, timeoutMs, failure }: PluginPlayParts): PluginPlayOptions {
  // Made up anew: who could guess it, in an SDK made of what somebody sent, would act as us.
  const standIn = `stand-in-${randomUUID()}`;
  const noToken = `none-${randomUUID()}`;
  const origin = new Origin(url);
  const foreign = new ForeignSessions(noToken, timeoutMs);
  /** plugin-play makes the first call by itself, and goes on only if it succeeds. */
  let isFirst = true;

  async function playFetch(this: unknown, input: string | URL | Request, init: RequestInit = {}): Promise<Response> {
    const headers = new Headers(init.headers ?? (input instanceof Request ? input.headers : undefined));
    if (headers.get('x-api-key') !== standIn) return foreign.fetch(this, input, init);
    headers.delete('x-api-key');
    const target = input instanceof Request ? input.url : String(input);
    const isStart = isFirst;
    isFirst = false;
    try {
      if (!origin.owns(target)) throw sentElsewhere(target);
      const response = await fetch(input, { ...init, headers });
      if (response.ok) return response;
      if (isStart) await tellWhy(failure(response, parse(response, await response.clone().text())));
      return failedAnswer(response, failure);
    } catch (error) {
      if (isStart) await tellWhy(error);
      throw error;
    }
  }

  return {
    qelosUrl: url,
    qelosApiToken: standIn,
    sdkOptions: { fetch: playFetch, forceRefresh: false, accessToken: noToken },
  };
}

/**
 * plugin-play ends the process when its first call fails, and says why only where `NODE_ENV` is not "production". The turn
 * of the event loop lets the warning out before that.
 */
async function tellWhy(error: unknown): Promise<void> {
  const { name, message, code, hint } = error as Error & { code?: string; hint?: string };
  process.emitWarning(message, { type: name, ...(code && { code }), ...(hint && { detail: hint }) });
  await new Promise((resolve) => setImmediate(resolve));
}

function sentElsewhere(url: string): AuthError {
  const where = URL.canParse(url) ? new URL(url).origin : 'no URL';
  return new AuthError('ERR_AUTH_INSECURE_URL', `getSdk() of @qelos/plugin-play leads to ${where}, not to QELOS_URL.`, {
    hint: 'Put ...pluginPlayOptions(auth) behind everything else in the config of configure() or start(), so that its qelosUrl counts. An SDK for another instance is made by getSdkForUrl(), with credentials of its own.',
  });
}

/**
 * An answer that is not a success, for an SDK whose own errors have no status. The SDK reads the body before it looks at the
 * status; to it, reading fails with our error. Who looks at the status first, as callers of `callApi` do, finds a Response
 * like any other.
 */
function failedAnswer(response: Response, failure: PluginPlayParts['failure']): Response {
  const { ok, status } = response;
  let isKnown = false;
  const known = <T>(value: T) => ({
    get: () => {
      isKnown = true;
      return value;
    },
  });
  const reader = (read: () => Promise<unknown>) => ({
    value: async () => {
      if (isKnown) return read();
      throw failure(response, parse(response, await Response.prototype.text.call(response)));
    },
  });
  return Object.defineProperties(response, {
    ok: known(ok),
    status: known(status),
    json: reader(() => Response.prototype.json.call(response)),
    text: reader(() => Response.prototype.text.call(response)),
  });
}

function parse(response: Response, text: string): unknown {
  if (!response.headers.get('content-type')?.includes('json')) return text;
  try {
    return JSON.parse(text);
  } catch {
    return text;
  }
}
