import { AuthError } from '../contract/auth-error';
import { COOL_DOWN, doubled } from '../credentials/clock';
import { retryAfterMs } from '../credentials/obtain-errors';
import { keyOf, RecentMap } from '../credentials/recent-map';
import { isWriteConflict, writeConflict } from '../strategies/oauth-refresh';
import { askForTokens, type TokenAnswer } from './foreign-fetch';

/** A sign-in or refresh under way, or one whose answer is remembered. */
interface Grant {
  readonly answer: Promise<TokenAnswer>;
  /** Monotonic milliseconds until which others get the same answer. */
  goodUntil: number;
  /** How often in a row the same user name and password were refused. */
  refusals: number;
  /** The access token that it brought. */
  accessToken?: string | undefined;
  /** Key of the refresh token that a refresh brought. */
  successor?: string | undefined;
}

/** For who asks a moment after the others. Not longer: a sign-in is also how plugin-play checks who registers a tenant. */
const LATE_MS = 10_000;

/** Answers that are remembered at a time; the oldest are let go. */
const MOST_ANSWERS = 1000;

/** What is known elsewhere of the access tokens that instances issue. */
export interface IssuedTokens {
  issued(origin: string, accessToken: string): void;
  /** Whether it was refused since it was issued last. */
  wasRefused(origin: string, accessToken: string): boolean;
}

/**
 * Sign-ins and refreshes of SDKs that have credentials of their own. Requests that are alike, and so prove the same, are one
 * while they are under way; and then:
 *
 * - A refused password is remembered as for our own account: 30 s, doubling to 5 min, so that nobody locks it. It ends with
 *   one clear error, where the published SDK takes it for an expired session and signs in again.
 * - A sign-in that the server asks to wait with (`Retry-After`) is not sent again before.
 * - A sign-in is remembered for 10 s, unless what it brought is refused before.
 * - A refresh is remembered, as its token is good for one and plugin-play goes on making SDKs of the stored one: who shows
 *   it again gets what the session has by now.
 */
export class ForeignGrants {
  readonly #known = new RecentMap<Grant>(MOST_ANSWERS);
  readonly #tokens: IssuedTokens;
  readonly #timeoutMs: () => number;

  /** @param timeoutMs - milliseconds that a call may take; 0: no more than a sign-in anyway */
  constructor(tokens: IssuedTokens, timeoutMs: () => number) {
    this.#tokens = tokens;
    this.#timeoutMs = timeoutMs;
  }

  async signIn(url: string, init: RequestInit): Promise<Response> {
    const { username, password } = (parsed(String(init.body)) ?? {}) as Record<string, unknown>;
    if (!username || !password) throw nothingToSignInWith(url);
    const key = keyOf(url, init.body, [...new Headers(init.headers)]);
    const known = this.#known.get(key);
    const grant = known && this.#isGood(known, url) ? known : this.#ask(key, url, init, known?.refusals);
    const kept = await answerOf(grant);
    if (kept.status !== 401) return responseOf(kept);
    throw isWriteConflict(parsed(kept.body)) ? writeConflict() : refused(url, grant);
  }

  async refresh(url: string, init: RequestInit): Promise<Response> {
    const key = keyOf(url, new Headers(init.headers).get('authorization'));
    let grant = this.#known.get(key);
    for (let next = grant; next !== undefined; next = this.#known.get(next.successor ?? '')) grant = next;
    grant ??= this.#ask(key, url, init);
    return responseOf(await answerOf(grant));
  }

  #isGood({ goodUntil, accessToken }: Grant, url: string): boolean {
    if (accessToken && this.#tokens.wasRefused(new URL(url).origin, accessToken)) return false;
    return performance.now() < goodUntil;
  }

  #ask(key: string, url: string, init: RequestInit, refusals = 0): Grant {
    const answer = askForTokens(url, init, this.#timeoutMs());
    const grant: Grant = { answer, goodUntil: Number.POSITIVE_INFINITY, refusals };
    const isSignIn = init.body !== undefined;
    this.#known.set(key, grant);
    grant.answer.then(
      ({ status, headers, body }) => {
        const { payload, errors } = (parsed(body) ?? {}) as Answer;
        if (status === 200 && payload?.token) {
          this.#tokens.issued(new URL(url).origin, payload.token);
          grant.accessToken = payload.token;
          if (isSignIn) {
            grant.goodUntil = performance.now() + LATE_MS;
            grant.refusals = 0;
          } else if (payload.refreshToken) {
            grant.successor = keyOf(url, `Bearer ${payload.refreshToken}`);
            this.#known.delete(grant.successor); // unused as yet, also where a server gives the same one again
          } else this.#known.delete(key);
        } else if (isSignIn && status === 401 && !isWriteConflict({ errors })) {
          grant.goodUntil = performance.now() + doubled(COOL_DOWN, grant.refusals++);
        } else if (isSignIn && (status === 429 || status === 503)) {
          const pauseMs = retryAfterMs(headers.get('retry-after') ?? undefined);
          if (pauseMs === undefined) this.#known.delete(key);
          else grant.goodUntil = performance.now() + pauseMs;
        } else this.#known.delete(key);
      },
      () => this.#known.delete(key),
    );
    return grant;
  }
}

/** What is looked at of an answer to a sign-in or refresh. */
interface Answer {
  readonly payload?: { readonly token?: string; readonly refreshToken?: string };
  readonly errors?: unknown;
}

/** What one of those who wait gets: an error is an object of his own, as frames are added to what is thrown. */
function answerOf({ answer }: Grant): Promise<TokenAnswer> {
  return answer.catch((error: unknown) => {
    throw error instanceof AuthError ? error.again() : error;
  });
}

function responseOf({ body, ...init }: TokenAnswer): Response {
  return new Response(body || null, init);
}

function parsed(body: string): unknown {
  try {
    return JSON.parse(body);
  } catch {
    return undefined;
  }
}

function refused(url: string, { goodUntil }: Grant): AuthError {
  return new AuthError(
    'ERR_AUTH_REFUSED',
    `${new URL(url).origin} refused the user name and password (HTTP status 401).`,
    {
      hint: 'They are those that getSdkForUrl() was given, or that a tenant registered this plugin with: one of a wrong password, an unknown user, other upper and lower case in the user name. Correct them, or have the tenant register the plugin again. To spare the account, the next try waits.',
      httpStatus: 401,
      retryAfterMs: Math.max(0, goodUntil - performance.now()),
    },
  );
}

function nothingToSignInWith(url: string): AuthError {
  return new AuthError('ERR_AUTH_NO_STRATEGY', `An SDK for ${new URL(url).origin} has nothing to sign in with.`, {
    hint: 'Give getSdkForUrl() a user name and password, an API token, or tokens that are still good. It never gets the credential of this plugin, not even for QELOS_URL: that is what getSdk() is for.',
  });
}
