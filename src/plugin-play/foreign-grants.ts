import { createHash } from 'node:crypto';
import { AuthError } from '../contract/auth-error';
import { isWriteConflict, writeConflict } from '../strategies/oauth-refresh';
import { RecentMap } from './recent-map';

/** An answer that is kept for everybody who asks the same. */
interface Kept {
  readonly status: number;
  readonly statusText: string;
  readonly headers: Headers;
  readonly body: string;
}

/** A sign-in or refresh under way, or one whose answer is remembered. */
interface Grant {
  readonly answer: Promise<Kept>;
  /** Monotonic milliseconds until which others get the same answer. */
  goodUntil: number;
  /** The access token that it brought. */
  accessToken?: string | undefined;
  /** Key of the refresh token that a refresh brought. */
  successor?: string | undefined;
}

/** As for our own account: a refused password is not sent again for so long, so that nobody locks an account. */
const REFUSED_MS = 30_000;

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
 * - A refused password is remembered for 30 s. It ends with one clear error, where the published SDK takes it for an expired
 *   session and signs in again.
 * - A sign-in is remembered for 10 s, unless what it brought is refused before.
 * - A refresh is remembered, as its token is good for one and plugin-play goes on making SDKs of the stored one: who shows
 *   it again gets what the session has by now.
 */
export class ForeignGrants {
  readonly #known = new RecentMap<Grant>(MOST_ANSWERS);
  readonly #tokens: IssuedTokens;

  constructor(tokens: IssuedTokens) {
    this.#tokens = tokens;
  }

  async signIn(url: string, init: RequestInit): Promise<Response> {
    const { username, password } = (parsed(String(init.body)) ?? {}) as Record<string, unknown>;
    if (!username || !password) throw nothingToSignInWith(url);
    const key = keyOf(url, init.body, [...new Headers(init.headers)]);
    const known = this.#known.get(key);
    const grant = known && this.#isGood(known, url) ? known : this.#ask(key, url, init);
    const kept = await grant.answer;
    if (kept.status !== 401) return responseOf(kept);
    throw isWriteConflict(parsed(kept.body)) ? writeConflict() : refused(url, grant);
  }

  async refresh(url: string, init: RequestInit): Promise<Response> {
    const key = refreshKeyOf(url, new Headers(init.headers).get('authorization'));
    let grant = this.#known.get(key);
    for (let next = grant; next !== undefined; next = this.#known.get(next.successor ?? '')) grant = next;
    grant ??= this.#ask(key, url, init);
    return responseOf(await grant.answer);
  }

  #isGood({ goodUntil, accessToken }: Grant, url: string): boolean {
    if (accessToken && this.#tokens.wasRefused(new URL(url).origin, accessToken)) return false;
    return performance.now() < goodUntil;
  }

  #ask(key: string, url: string, init: RequestInit): Grant {
    const grant: Grant = { answer: ask(url, init), goodUntil: Number.POSITIVE_INFINITY };
    const isSignIn = init.body !== undefined;
    this.#known.set(key, grant);
    grant.answer.then(
      ({ status, body }) => {
        const { payload, errors } = (parsed(body) ?? {}) as Answer;
        if (status === 200 && payload?.token) {
          this.#tokens.issued(new URL(url).origin, payload.token);
          grant.accessToken = payload.token;
          if (isSignIn) grant.goodUntil = performance.now() + LATE_MS;
          else if (payload.refreshToken) {
            grant.successor = refreshKeyOf(url, `Bearer ${payload.refreshToken}`);
            this.#known.delete(grant.successor); // unused as yet, also where a server gives the same one again
          } else this.#known.delete(key);
        } else if (isSignIn && status === 401 && !isWriteConflict({ errors })) {
          grant.goodUntil = performance.now() + REFUSED_MS;
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

/** A key from which nobody can read what it is made of. */
function keyOf(...parts: unknown[]): string {
  return createHash('sha256').update(JSON.stringify(parts)).digest('base64');
}

function refreshKeyOf(url: string, authorization: string | null): string {
  return keyOf(url, authorization);
}

function responseOf({ body, ...init }: Kept): Response {
  return new Response(body || null, init);
}

async function ask(url: string, init: RequestInit): Promise<Kept> {
  const response = await globalThis.fetch(url, { ...init, signal: null }); // others wait for it too
  const { status, statusText, headers } = response;
  return { status, statusText, headers, body: await response.text() };
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
      status: 401,
      retryAfterMs: Math.max(0, goodUntil - performance.now()),
    },
  );
}

function nothingToSignInWith(url: string): AuthError {
  return new AuthError('ERR_AUTH_NO_STRATEGY', `An SDK for ${new URL(url).origin} has nothing to sign in with.`, {
    hint: 'Give getSdkForUrl() a user name and password, an API token, or tokens that are still good. It never gets the credential of this plugin, not even for QELOS_URL: that is what getSdk() is for.',
  });
}
