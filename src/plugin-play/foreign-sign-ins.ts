import { createHash } from 'node:crypto';
import { AuthError } from '../errors';
import { isWriteConflict, writeConflict } from '../strategies/oauth-refresh-strategy';

/** An answer that is kept for everybody who waits for it. */
interface Kept {
  readonly status: number;
  readonly statusText: string;
  readonly headers: Headers;
  readonly body: string;
}

/** A sign-in under way, or one that was refused not long ago. */
interface SignIn {
  readonly answer: Promise<Kept>;
  /** Monotonic milliseconds until which others get the same answer. */
  goodUntil: number;
}

/** As for our own account: a refused password is not sent again for so long, so that nobody locks an account. */
const REFUSED_MS = 30_000;

/** Sign-ins that are remembered at a time; the oldest are let go. */
const MOST_SIGN_INS = 1000;

/**
 * Sign-ins of SDKs that have a user name and password of their own. Those that are alike and under way at once are one
 * request, and a refusal ends with one clear error: the published SDK takes it for an expired session, and signs in again.
 */
export class ForeignSignIns {
  readonly #known = new Map<string, SignIn>();

  async send(url: string, init: RequestInit): Promise<Response> {
    const { username, password } = (parsed(String(init.body)) ?? {}) as Record<string, unknown>;
    if (!username || !password) throw nothingToSignInWith(url);
    const signIn = this.#signIn(url, init);
    const { body, ...answer } = await signIn.answer;
    if (answer.status !== 401) return new Response(body || null, answer);
    throw isWriteConflict(parsed(body)) ? writeConflict() : refused(url, signIn);
  }

  #signIn(url: string, init: RequestInit): SignIn {
    const key = createHash('sha256')
      .update(JSON.stringify([url, init.body, [...new Headers(init.headers)]]))
      .digest('base64');
    const known = this.#known.get(key);
    if (known && known.goodUntil > performance.now()) return known;
    const signIn: SignIn = { answer: ask(url, init), goodUntil: Number.POSITIVE_INFINITY };
    this.#known.delete(key); // so that it counts as the newest
    this.#known.set(key, signIn);
    signIn.answer.then(
      ({ status, body }) => {
        if (status === 401 && !isWriteConflict(parsed(body))) signIn.goodUntil = performance.now() + REFUSED_MS;
        else this.#known.delete(key);
      },
      () => this.#known.delete(key),
    );
    for (const oldest of this.#known.keys()) {
      if (this.#known.size <= MOST_SIGN_INS) break;
      this.#known.delete(oldest);
    }
    return signIn;
  }
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

function refused(url: string, { goodUntil }: SignIn): AuthError {
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
