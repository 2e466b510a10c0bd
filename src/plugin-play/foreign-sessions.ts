import { AuthError, isAuthError } from '../contract/auth-error';
import { COOL_DOWN } from '../credentials/clock';
import { keyOf, RecentMap } from '../credentials/recent-map';
import { isRefusedCredential } from '../qelos/refusal';
import { foreignFetch, isReplayable } from './foreign-fetch';
import { ForeignGrants } from './foreign-grants';

/** What is used of the options that all modules of one SDK share. */
interface SdkOptions {
  getAccessToken(): string | undefined;
  /** Headers for a call; with `true` it refreshes first, and fails if it can't. */
  extraHeaders(relativeUrl: string, forceRefresh: boolean): Promise<unknown>;
  /** Signs in with the user name and password the SDK was made with, and tells plugin-play of it. */
  onFailedRefreshToken?(): Promise<void>;
}

/** What was learned of an access token, by whichever SDK. */
interface TokenFacts {
  /** Monotonic milliseconds at which it was issued last, if that was seen. */
  issuedAt: number;
  /** Monotonic milliseconds at which it was refused last. */
  refusedAt: number;
  /** Whether it was refused, and there is a newer one. */
  isReplaced: boolean;
  /** Monotonic milliseconds until which another one is of no use, as this one was new when it was refused. */
  uselessUntil: number;
}

/** As for our own account: what one renewal did not cure is not tried again for so long. */
const USELESS_MS = COOL_DOWN.firstMs;

/** Access tokens of which something is remembered at a time; the oldest are let go. */
const MOST_TOKENS = 1000;

/** Times that a call is sent: with the token it came with, with one that others have had, and with a new one. */
const MOST_SENDS = 3;

/**
 * Calls of SDKs that have credentials of their own, such as a tenant's. Nothing of ours goes along, no header and no
 * setting: they go through the global `fetch`, as without this library. What the published SDK gets wrong is put right
 * with its own means: it refreshes and signs in as it always did, but only when the access token was refused, and once for
 * all calls that wait for it.
 *
 * plugin-play makes a new SDK of stored tokens for each call of `getSdkForTenant()`. So what one learns of an access token
 * holds for all; but each has to renew with what it has been given itself, as an access token that was refused proves
 * nothing. {@link ForeignGrants} sees to it that this costs one request.
 *
 * Which SDK is calling is known from `this`, as an SDK calls `fetch` as a method. Without that, calls are sent as they are.
 */
export class ForeignSessions {
  readonly #noToken: string;
  readonly #timeoutMs: () => number;
  readonly #grants: ForeignGrants;
  readonly #facts = new RecentMap<TokenFacts>(MOST_TOKENS);
  readonly #renewals = new WeakMap<SdkOptions, Promise<void>>();

  /**
   * @param noToken - the access token that stands for none
   * @param timeoutMs - milliseconds that a call may wait for its server; 0: for ever
   */
  constructor(noToken: string, timeoutMs: () => number) {
    this.#noToken = noToken;
    this.#timeoutMs = timeoutMs;
    const issued = (origin: string, token: string) => {
      this.#factsOf(origin, token).issuedAt = performance.now();
    };
    const wasRefused = (origin: string, token: string) => {
      const { issuedAt, refusedAt } = this.#factsOf(origin, token);
      return refusedAt > issuedAt;
    };
    this.#grants = new ForeignGrants({ issued, wasRefused }, timeoutMs);
  }

  async fetch(sdk: unknown, input: string | URL | Request, init: RequestInit): Promise<Response> {
    const [, token] = /^Bearer (.+)$/.exec(new Headers(init.headers).get('authorization') ?? '') ?? [];
    if (input instanceof Request) return globalThis.fetch(input, init);
    const url = new URL(input);
    if (url.pathname === '/api/signin' && typeof init.body === 'string') return this.#grants.signIn(url.href, init);
    if (url.pathname === '/api/token/refresh' && token !== undefined) return this.#grants.refresh(url.href, init);
    const options = optionsOf(sdk);
    if (options === undefined || token === undefined) return foreignFetch(url, init, this.#timeoutMs());
    const current = options.getAccessToken();
    const isByHand = token !== current && token !== this.#noToken && !this.#facts.get(keyOf(url.origin, token));
    return isByHand ? foreignFetch(url, init, this.#timeoutMs()) : this.#call(options, url, init);
  }

  async #call(options: SdkOptions, url: URL, init: RequestInit): Promise<Response> {
    const { origin } = url;
    const startedAt = performance.now();
    const send = (token: string) => {
      const headers = new Headers(init.headers);
      headers.set('authorization', `Bearer ${token}`);
      return foreignFetch(url, { ...init, headers }, this.#timeoutMs());
    };
    let token = this.#tokenOf(options);
    if (token === undefined || this.#factsOf(origin, token).isReplaced) {
      token = await this.#renewed(options, origin, token);
    }
    for (let sends = 1; ; sends++) {
      const response = await send(token);
      if (!isReplayable(init.body) || !(await isRefusal(response))) return response;

      const facts = this.#factsOf(origin, token);
      facts.refusedAt = performance.now();
      const refuseNew = () => {
        if (facts.issuedAt > startedAt) facts.uselessUntil = performance.now() + USELESS_MS;
      };
      refuseNew();
      if (sends === MOST_SENDS || performance.now() < facts.uselessUntil) return response;
      const next: string = await this.#renewed(options, origin, token).catch(async (error: unknown) => {
        await response.body?.cancel();
        throw error;
      });
      // Recorded: an access token is the same again when it was issued in the same second.
      if (next === token) {
        refuseNew();
        return response;
      }
      facts.isReplaced = true;
      await response.body?.cancel();
      token = next;
    }
  }

  #tokenOf(options: SdkOptions): string | undefined {
    const token = options.getAccessToken();
    return token && token !== this.#noToken ? token : undefined;
  }

  #factsOf(origin: string, token: string): TokenFacts {
    const key = keyOf(origin, token);
    return (
      this.#facts.get(key) ?? this.#facts.set(key, { issuedAt: 0, refusedAt: 0, isReplaced: false, uselessUntil: 0 })
    );
  }

  /** What the SDK has in the place of a token that is no longer good; the same one if it cannot renew it. */
  async #renewed(options: SdkOptions, origin: string, old: string | undefined): Promise<string> {
    if (this.#tokenOf(options) === old) {
      const renewal = this.#renewals.get(options) ?? this.#renew(options);
      this.#renewals.set(options, renewal);
      try {
        await renewal;
      } catch (error) {
        if (old !== undefined && isAuthError(error) && error.code === 'ERR_AUTH_NO_STRATEGY') return old;
        throw error instanceof AuthError ? error.again() : error;
      }
    }
    const token = this.#tokenOf(options);
    if (token === undefined) throw noAccessToken(origin);
    return token;
  }

  async #renew(options: SdkOptions): Promise<void> {
    try {
      await options.extraHeaders('/api/me', true).catch((error: unknown) => {
        if (isAuthError(error) && error.retryable) throw error; // out of order: a sign-in would fail just so
        return options.onFailedRefreshToken?.();
      });
    } finally {
      this.#renewals.delete(options);
    }
  }
}

function noAccessToken(origin: string): AuthError {
  return new AuthError(
    'ERR_AUTH_BAD_RESPONSE',
    `The answer of ${origin} to a sign-in or refresh holds no access token.`,
    {
      hint: 'Check that the appUrl of the SDK is the base URL of a Qelos instance, and that no proxy or log-in page stands in front of it.',
      retryable: true,
    },
  );
}

async function isRefusal(response: Response): Promise<boolean> {
  if (response.status !== 401) return false;
  const data: unknown = await response
    .clone()
    .json()
    .catch(() => undefined);
  return isRefusedCredential({ status: 401, data });
}

function optionsOf(sdk: unknown): SdkOptions | undefined {
  const options = (sdk as { qlOptions?: Partial<SdkOptions> } | undefined)?.qlOptions;
  const isComplete = typeof options?.getAccessToken === 'function' && typeof options.extraHeaders === 'function';
  return isComplete ? (options as SdkOptions) : undefined;
}
