import { inspect } from 'node:util';
import { AuthError } from './auth-error';

/** When a credential ends. Without it, a JSON Web Token's own claims say so; else nobody knows until it is refused. */
export interface CredentialOptions {
  expiresAt?: Date | undefined;
}

/** The same for an access token, with what else may come with one. */
export interface BearerOptions extends CredentialOptions {
  /** Seconds from now until it ends, as `expires_in` of OAuth has it (RFC 6749, 5.1). `expiresAt` wins. */
  expiresIn?: number | undefined;
  /** A secret. Spent by the next refresh. */
  refreshToken?: string | undefined;
}

/** What a credential is made of. Leaves this file only as text for a credential store. */
interface Secrets {
  readonly headers: Readonly<Record<string, string>>;
  readonly refreshToken: string | undefined;
}

/** When it was obtained and ends; `lifeMs` as {@link lifetimeOf} has it. */
interface Times {
  readonly expiresAt?: Date | undefined;
  readonly obtainedAt?: Date | undefined;
  readonly lifeMs?: number | undefined;
}

/** Access to the private parts, for the functions of this file alone. */
let secretsOf: (credential: Credential) => Secrets;
let lifeOf: (credential: Credential) => number | undefined;
let restore: (secrets: Secrets, times: Times) => Credential;

/**
 * Something that authenticates requests: headers and, for sessions, the refresh token behind them. Opaque: its secrets are
 * in private fields, so that `inspect`, `JSON.stringify`, `String` and structured loggers show none of them.
 */
export class Credential {
  readonly #headers: Readonly<Record<string, string>>;
  readonly #refreshToken: string | undefined;
  /** Moments are kept as milliseconds: a Date takes six times as much memory. */
  readonly #expiresAt: number | undefined;
  readonly #obtainedAt: number;
  readonly #lifeMs: number | undefined;

  static {
    secretsOf = (credential) => ({ headers: credential.#headers, refreshToken: credential.#refreshToken });
    lifeOf = (credential) => credential.#lifeMs;
    restore = (secrets, times) => new Credential(secrets, times);
  }

  private constructor(secrets: Secrets, times: Times) {
    this.#headers = secrets.headers;
    this.#refreshToken = secrets.refreshToken;
    this.#expiresAt = times.expiresAt?.getTime();
    this.#obtainedAt = times.obtainedAt?.getTime() ?? Date.now();
    this.#lifeMs = times.lifeMs;
  }

  /**
   * An API key, sent as `x-api-key`.
   *
   * @throws AuthError `ERR_AUTH_BAD_RESPONSE` if the key is no string of visible ASCII characters
   */
  static apiKey(key: string, options: CredentialOptions = {}): Credential {
    assertSendable(key, 'API key', VISIBLE);
    return Credential.headers({ 'x-api-key': key }, options);
  }

  /**
   * An access token, sent as `Authorization: Bearer`. Without `expiresAt` and `expiresIn`, its life is read from a JSON Web
   * Token's claims: `exp − iat` less a second, as both are whole seconds, cut off (RFC 7519 says NumericDate; Qelos cuts).
   *
   * ```ts
   * Credential.bearer(data.access_token, { refreshToken: data.refresh_token, expiresIn: data.expires_in });
   * ```
   *
   * @throws AuthError `ERR_AUTH_BAD_RESPONSE` if the access token is no `b64token` (RFC 6750, 2.1), or the refresh token no
   *   string of visible ASCII characters (RFC 6749, A.17, without the blank)
   */
  static bearer(accessToken: string, options: BearerOptions = {}): Credential {
    assertSendable(accessToken, 'access token', B64TOKEN);
    const { refreshToken, expiresAt, expiresIn } = options;
    if (refreshToken !== undefined) assertSendable(refreshToken, 'refresh token', VISIBLE);
    const times = expiresAt ? endingAt(expiresAt) : (endingIn(expiresIn) ?? lifeFromClaims(accessToken));
    return new Credential({ headers: { authorization: `Bearer ${accessToken}` }, refreshToken }, times);
  }

  /**
   * Any headers. Names are case-insensitive.
   *
   * @throws AuthError `ERR_AUTH_BAD_RESPONSE` if a name or value cannot be a header's
   */
  static headers(record: Readonly<Record<string, string>>, options: CredentialOptions = {}): Credential {
    const headers: Record<string, string> = {};
    for (const [name, value] of Object.entries(record)) {
      if (!/^[!#$%&'*+.^_`|~0-9A-Za-z-]+$/.test(name)) throw unusable('holds a header name that HTTP does not allow');
      assertSendable(value, `value of the header ${name.toLowerCase()}`, HEADER_VALUE);
      headers[name.toLowerCase()] = value;
    }
    if (Object.keys(headers).length === 0) throw unusable('holds no header');
    return new Credential({ headers, refreshToken: undefined }, endingAt(options.expiresAt));
  }

  /** The headers it sets, in lower case. */
  get headerNames(): readonly string[] {
    return Object.keys(this.#headers);
  }

  /** When it ends by the server's own clock, if that is known. */
  get expiresAt(): Date | undefined {
    return this.#expiresAt === undefined ? undefined : new Date(this.#expiresAt);
  }

  /** When it was obtained, by this machine's clock. */
  get obtainedAt(): Date {
    return new Date(this.#obtainedAt);
  }

  /** The refresh token behind a session. A secret. */
  get refreshToken(): string | undefined {
    return this.#refreshToken;
  }

  /** Sets its headers on a request; for strategies whose `authorize` adds to what the credential does by default. */
  applyTo(headers: { set(name: string, value: string): void }): void {
    for (const name in this.#headers) headers.set(name, this.#headers[name] as string);
  }

  toJSON(): object {
    return { headerNames: this.headerNames, obtainedAt: this.obtainedAt, expiresAt: this.expiresAt };
  }

  [inspect.custom](): string {
    return `Credential ${inspect(this.toJSON())}`;
  }
}

/**
 * A value as a Credential of this copy of the package, also if another copy made it: a plugin may well bundle one, and its
 * strategy makes credentials with that. Undefined if it is none.
 */
export function asCredential(value: unknown): Credential | undefined {
  if (value instanceof Credential) return value;
  try {
    const { applyTo, headerNames, refreshToken, expiresAt } = value as Credential;
    if (typeof applyTo !== 'function' || !Array.isArray(headerNames)) return undefined;
    const headers: Record<string, string> = {};
    applyTo.call(value, {
      set(name, content) {
        headers[name] = content;
      },
    });
    const [, accessToken] = /^Bearer (.+)$/.exec(headers['authorization'] ?? '') ?? [];
    const isBearer = accessToken !== undefined && headerNames.length === 1;
    return isBearer
      ? Credential.bearer(accessToken, { refreshToken, ...(!lifeFromClaims(accessToken).expiresAt && { expiresAt }) })
      : Credential.headers(headers, { expiresAt });
  } catch {
    return undefined;
  }
}

/** Its headers, for the one place that puts them on requests. */
export function headersOf(credential: Credential): Readonly<Record<string, string>> {
  return secretsOf(credential).headers;
}

/**
 * How long it is good for from the moment its request was sent, in milliseconds, at the least. 0: it may end at any moment;
 * undefined: nobody knows.
 */
export function lifetimeOf(credential: Credential): number | undefined {
  return lifeOf(credential);
}

/** The headers of which Qelos takes a credential. */
export const OF_CREDENTIALS = new Set(['authorization', 'cookie', 'x-api-key']);
/** Shorter values of other headers are no secrets, and would be found in every other word: `0`, or `Error`. */
const SHORTEST_SECRET = 8;

/** A text without the credential's secrets in it. */
export function redact(text: string, credential: Credential): string {
  const { headers, refreshToken } = secretsOf(credential);
  const own = Object.keys(headers).filter(
    (name) => OF_CREDENTIALS.has(name) || `${headers[name]}`.length >= SHORTEST_SECRET,
  );
  let result = text;
  for (const value of [...own.map((name) => headers[name]), refreshToken]) {
    const secret = value?.replace(/^Bearer /, '');
    if (secret) result = result.replaceAll(secret, '[hidden]');
  }
  return result;
}

/** Whether two credentials put the same on a request. */
export function isSameCredential(a: Credential, b: Credential): boolean {
  return JSON.stringify(headersOf(a)) === JSON.stringify(headersOf(b));
}

/**
 * A credential as text for a store. A secret.
 *
 * @param hasEnded - whether it is good for nothing any more but for its refresh token
 */
export function serializeCredential(credential: Credential, { hasEnded = false } = {}): string {
  const { obtainedAt } = credential;
  const expiresAt = hasEnded ? new Date(0) : credential.expiresAt;
  return JSON.stringify({ version: 1, ...secretsOf(credential), expiresAt, obtainedAt, lifeMs: lifeOf(credential) });
}

/**
 * A credential from a store's text; undefined if it is not one that this version wrote. Its life is what is left of it, and no
 * longer than it was when it was obtained: the clock of this machine may be slow.
 *
 * @param clockErrorMs - how far this machine's clock is known to be ahead of the server's
 */
export function parseCredential(text: string, clockErrorMs = 0): Credential | undefined {
  try {
    const { version, headers, refreshToken, expiresAt, obtainedAt, lifeMs } = JSON.parse(text);
    if (version !== 1) return undefined;
    const checked = secretsOf(Credential.headers(headers)).headers;
    if (refreshToken !== undefined) assertSendable(refreshToken, 'refresh token', VISIBLE);
    const ending = endingAt(expiresAt, Date.now() - clockErrorMs);
    const isLonger = ending.lifeMs !== undefined && ending.lifeMs > lifeMs + ROUNDED_MS;
    const times = { ...ending, ...(isLonger && { lifeMs }), obtainedAt: validDate(obtainedAt) };
    return restore({ headers: checked, refreshToken }, times);
  } catch {
    return undefined;
  }
}

function validDate(value: string | number | Date | undefined): Date | undefined {
  const date = new Date(value ?? Number.NaN);
  return Number.isNaN(date.getTime()) ? undefined : date;
}

function endingAt(expiresAt: string | Date | undefined, now = Date.now()): Times {
  const date = validDate(expiresAt);
  return date ? { expiresAt: date, lifeMs: Math.max(0, date.getTime() - now) } : {};
}

/** Undefined if it is no number: nobody knows then. */
function endingIn(seconds: number | undefined): Times | undefined {
  if (typeof seconds !== 'number' || Number.isNaN(seconds)) return undefined;
  const lifeMs = Math.min(Math.max(0, seconds * 1000), Number.MAX_VALUE);
  return { expiresAt: validDate(Date.now() + lifeMs), lifeMs };
}

/** The claims of a bearer credential whose token is a JSON Web Token; undefined if it is not. */
export function claimsOf(credential: Credential): Readonly<Record<string, unknown>> | undefined {
  return claimsIn(headersOf(credential)['authorization'] ?? '');
}

/** Read without checking the signature: they say when to refresh and what to ask for, and only the server can check it. */
function claimsIn(token: string): Readonly<Record<string, unknown>> | undefined {
  try {
    const claims: unknown = JSON.parse(Buffer.from(token.split('.')[1] ?? '', 'base64url').toString());
    return typeof claims === 'object' && claims !== null ? { ...claims } : undefined;
  } catch {
    return undefined;
  }
}

/** By so much a life that is counted in whole seconds may be too short. */
const ROUNDED_MS = 1_000;

function lifeFromClaims(token: string): Times {
  const { iat, exp } = claimsIn(token) ?? {};
  if (typeof exp !== 'number' || typeof iat !== 'number' || !(exp > iat)) return {};
  // An infinite life would have no windows, and every moment would be in both of them.
  const lifeMs = Math.min(Math.max(0, (exp - iat) * 1000 - ROUNDED_MS), Number.MAX_VALUE);
  return { expiresAt: validDate(exp * 1000), lifeMs };
}

/** What can be sent as a header's value: with something visible in it, and no control characters. */
const HEADER_VALUE = /^[\x20-\x7e\x80-\xff]*[\x21-\x7e\x80-\xff][\x20-\x7e\x80-\xff]*$/;
/** What a bearer token may be made of (RFC 6750, 2.1: `b64token`). */
const B64TOKEN = /^[A-Za-z\d\-._~+/]+=*$/;
/** Visible ASCII characters, of which API keys and refresh tokens are made. */
const VISIBLE = /^[\x21-\x7e]+$/;

function assertSendable(value: unknown, what: string, form: RegExp): asserts value is string {
  if (typeof value !== 'string') throw unusable(`holds no ${what}`);
  if (!form.test(value)) throw unusable(`holds no ${what} that can be sent in a header`);
}

function unusable(what: string): AuthError {
  return new AuthError('ERR_AUTH_BAD_RESPONSE', `The credential ${what}.`, {
    hint: 'Check that QELOS_URL is a Qelos instance and not a proxy or a web page in front of it; with a strategy of your own, check what it makes the credential from.',
    retryable: true,
  });
}
