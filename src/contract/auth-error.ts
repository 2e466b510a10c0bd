import { isNativeError } from 'node:util/types';

/** Every code an {@link AuthError} can carry. A `switch` over it is checked for completeness by the compiler. */
export type AuthErrorCode =
  /** A setting is missing, malformed or contradictory. The message lists all of them by name. */
  | 'ERR_AUTH_CONFIG'
  /** The instance's URL, or a request's, would let the credential travel or end up where it must not. */
  | 'ERR_AUTH_INSECURE_URL'
  /** No strategy has all the settings it needs. The message lists what each one lacks. */
  | 'ERR_AUTH_NO_STRATEGY'
  /** The instance refused the sign-in (wrong user name or password, or the user lacks a role). */
  | 'ERR_AUTH_REFUSED'
  /** The instance refused the API token (one of: expired, revoked, mistyped, of another tenant). */
  | 'ERR_AUTH_TOKEN_REFUSED'
  /** No answer to a sign-in or refresh: network fault, time-out, overload, or a fault of the server. */
  | 'ERR_AUTH_UNAVAILABLE'
  /** An answer to a sign-in or refresh that is not one of Qelos, or holds no usable credential. */
  | 'ERR_AUTH_BAD_RESPONSE'
  /** A redirect that leads out of the instance's origin, or that must not be followed. */
  | 'ERR_AUTH_REDIRECT'
  /** The credential is bound to another workspace than the configured one. */
  | 'ERR_AUTH_WORKSPACE'
  /** Whoever is to be acted for has sent no credential of Qelos; nothing was sent. */
  | 'ERR_AUTH_NO_CREDENTIAL'
  /** `close()` was called. */
  | 'ERR_AUTH_CLOSED';

/** All of them, to know an AuthError of another copy of this package by; the compiler checks that none is missing. */
const CODES: Readonly<Record<AuthErrorCode, true>> = {
  ERR_AUTH_CONFIG: true,
  ERR_AUTH_INSECURE_URL: true,
  ERR_AUTH_NO_STRATEGY: true,
  ERR_AUTH_REFUSED: true,
  ERR_AUTH_TOKEN_REFUSED: true,
  ERR_AUTH_UNAVAILABLE: true,
  ERR_AUTH_BAD_RESPONSE: true,
  ERR_AUTH_REDIRECT: true,
  ERR_AUTH_WORKSPACE: true,
  ERR_AUTH_NO_CREDENTIAL: true,
  ERR_AUTH_CLOSED: true,
};

/** What an {@link AuthError} is made of, besides its message. */
export interface AuthErrorDetails {
  /** What to do next, in a sentence or two. */
  hint: string;
  /** HTTP status of the answer that caused it, where there was one. */
  httpStatus?: number | undefined;
  /** Whether the same call can succeed later without anybody changing a setting. Default: false. */
  retryable?: boolean | undefined;
  /** Milliseconds to wait before the next try makes sense. */
  retryAfterMs?: number | undefined;
  /** The error underneath. Must hold no secret. */
  cause?: unknown;
}

/**
 * Why a call could not be authenticated. `message` names the setting at fault and what was seen, `hint` says what to do
 * next; neither ever holds a secret. An answer of the API itself (a 404, a 403 of a missing role) is not an AuthError:
 * it stays an AxiosError with its status and data.
 */
export class AuthError extends Error {
  override readonly name = 'AuthError';
  readonly code: AuthErrorCode;
  readonly hint: string;
  readonly retryable: boolean;
  declare readonly httpStatus?: number;
  declare readonly retryAfterMs?: number;

  constructor(code: AuthErrorCode, message: string, details: AuthErrorDetails) {
    super(message, details.cause === undefined ? undefined : { cause: details.cause });
    this.code = code;
    this.hint = details.hint;
    this.retryable = details.retryable ?? false;
    if (details.httpStatus !== undefined) this.httpStatus = details.httpStatus;
    if (details.retryAfterMs !== undefined) this.retryAfterMs = details.retryAfterMs;
  }

  /**
   * The same error for one more caller. Callers that wait for one sign-in each get an object of their own, as axios adds
   * the caller's frames to the stack of whatever it rethrows.
   *
   * @param retryAfterMs - milliseconds from now, where that has changed since
   */
  again(retryAfterMs = this.retryAfterMs): AuthError {
    const { hint, httpStatus, retryable, cause } = this;
    return new AuthError(this.code, this.message, { hint, httpStatus, retryable, retryAfterMs, cause });
  }
}

/** Whether a value is an {@link AuthError}, also one made by another copy of this package. Never throws. */
export function isAuthError(value: unknown): value is AuthError {
  try {
    if (value instanceof AuthError) return true;
    if (!isNativeError(value) || value.name !== 'AuthError') return false;
    const { code, hint } = value as Partial<AuthError>;
    return typeof code === 'string' && Object.hasOwn(CODES, code) && typeof hint === 'string';
  } catch {
    return false; // a getter of somebody else's
  }
}

/** What kind of thing was thrown: enough to look for it, without a text that could hold a secret. Never throws. */
export function kindOf(thrown: unknown): string {
  try {
    if (!(thrown instanceof Error || isNativeError(thrown))) return typeof thrown;
    const { name } = thrown.constructor;
    return typeof name === 'string' && /^[\w$]{1,64}$/.test(name) ? name : 'Error';
  } catch {
    return 'Error';
  }
}
