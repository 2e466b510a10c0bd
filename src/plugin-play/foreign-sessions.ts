import { AuthError, isAuthError, isRefusedCredential } from '../errors';
import { ForeignSignIns } from './foreign-sign-ins';

/** What is used of the options that all modules of one SDK share. */
interface SdkOptions {
  getAccessToken(): string | undefined;
  /** Headers for a call; with `true` it refreshes first, and fails if it can't. */
  extraHeaders(relativeUrl: string, forceRefresh: boolean): Promise<unknown>;
  /** Signs in with the user name and password the SDK was made with, and tells plugin-play of it. */
  onFailedRefreshToken?(): Promise<void>;
}

/** A session that an SDK holds, and others that were made of the same stored token. */
interface Session {
  /** The SDK that can renew it. */
  readonly options: SdkOptions;
  readonly origin: string;
  /** Undefined as long as the SDK has not signed in. */
  token: string | undefined;
  /** The one renewal that everybody waits for. */
  flight?: Promise<void> | undefined;
  /** Monotonic milliseconds until which a renewal is of no use, as the last one was not. */
  uselessUntil: number;
}

/** As for our own account: what one renewal did not cure is not tried again for so long. */
const USELESS_MS = 30_000;

/** Sessions that are known by their tokens at a time; the oldest are let go. */
const MOST_SESSIONS = 1000;

/** Calls that carry credentials of their own, which nothing takes the place of. */
const OWN_CREDENTIAL = new Set(['/api/signup', '/api/token/refresh']);

/**
 * Calls of SDKs that have credentials of their own, such as a tenant's. Nothing of ours goes along, no header and no
 * setting: they go through the global `fetch`, as without this library. What the published SDK gets wrong is put right
 * with its own means: it refreshes and signs in as it always did, but only when the access token was refused, once for all
 * calls that wait for it, and the call is sent again once at most.
 *
 * plugin-play makes a new SDK of stored tokens for each call of `getSdkForTenant()`. So it is the token that a session is
 * known by: it is renewed by the first SDK that came with it, and the others get its successor.
 *
 * Which SDK is calling is known from `this`, as an SDK calls `fetch` as a method. Without that, calls are sent as they are.
 */
export class ForeignSessions {
  readonly #noToken: string;
  readonly #signIns = new ForeignSignIns();
  readonly #byToken = new Map<string, Session>();
  /** Sessions of SDKs that were made without a token. */
  readonly #bySdk = new WeakMap<SdkOptions, Session>();

  /** @param noToken - the access token that stands for none */
  constructor(noToken: string) {
    this.#noToken = noToken;
  }

  async fetch(sdk: unknown, input: string | URL | Request, init: RequestInit): Promise<Response> {
    if (input instanceof Request) return globalThis.fetch(input, init);
    const { origin, pathname } = new URL(input);
    if (pathname === '/api/signin' && typeof init.body === 'string') return this.#signIns.send(String(input), init);
    const session = OWN_CREDENTIAL.has(pathname) ? undefined : this.#sessionOf(optionsOf(sdk), origin, init);
    if (session === undefined) return globalThis.fetch(input, init);

    const send = (token: string | undefined) => {
      const headers = new Headers(init.headers);
      headers.set('authorization', `Bearer ${token}`);
      return globalThis.fetch(input, { ...init, headers });
    };
    const token = session.token ?? (await this.#successor(session, undefined));
    const response = await send(token);
    const isReplayable = init.body === undefined || init.body === null || typeof init.body === 'string';
    if (!isReplayable || !(await isRefusal(response))) return response;

    const next = await this.#successor(session, token).catch((error: unknown) => {
      if (isAuthError(error) && error.code === 'ERR_AUTH_NO_STRATEGY') return token; // the refusal is the answer
      throw error;
    });
    if (next === token) return response;
    await response.body?.cancel();
    const again = await send(next);
    if (await isRefusal(again)) this.#proveUseless(session);
    return again;
  }

  #sessionOf(options: SdkOptions | undefined, origin: string, init: RequestInit): Session | undefined {
    const [, token] = /^Bearer (.+)$/.exec(new Headers(init.headers).get('authorization') ?? '') ?? [];
    if (options === undefined || token === undefined) return undefined;
    if (token === this.#noToken) {
      const session = this.#bySdk.get(options) ?? { options, origin, token: undefined, uselessUntil: 0 };
      this.#bySdk.set(options, session);
      return session;
    }
    const known = this.#byToken.get(keyOf(origin, token));
    if (known) return known;
    if (token !== options.getAccessToken()) return undefined; // somebody put it there by hand
    const session = { options, origin, token, uselessUntil: 0 };
    this.#remember(session);
    return session;
  }

  /** The token to send in the place of a refused one; the same one if there is no better. */
  async #successor(session: Session, refused: string | undefined): Promise<string | undefined> {
    if (session.token === refused && performance.now() >= session.uselessUntil) {
      session.flight ??= this.#renew(session).finally(() => {
        session.flight = undefined;
      });
      await session.flight.catch((error: unknown) => {
        throw error instanceof AuthError ? error.again() : error;
      });
    }
    return session.token;
  }

  async #renew(session: Session): Promise<void> {
    const { options, token: before } = session;
    try {
      await options.extraHeaders('/api/me', true);
    } catch {
      await options.onFailedRefreshToken?.();
    }
    const token = options.getAccessToken();
    if (!token || token === this.#noToken) throw noAccessToken(session);
    session.token = token;
    // Recorded: an access token is the same again when it was issued in the same second.
    if (token === before) this.#proveUseless(session);
    this.#remember(session);
  }

  #proveUseless(session: Session): void {
    session.uselessUntil = performance.now() + USELESS_MS;
  }

  #remember(session: Session): void {
    this.#byToken.set(keyOf(session.origin, session.token), session);
    for (const oldest of this.#byToken.keys()) {
      if (this.#byToken.size <= MOST_SESSIONS) break;
      this.#byToken.delete(oldest);
    }
  }
}

function keyOf(origin: string, token: string | undefined): string {
  return `${origin} ${token}`;
}

function noAccessToken({ origin }: Session): AuthError {
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
