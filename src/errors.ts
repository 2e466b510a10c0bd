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
  /** `close()` was called. */
  | 'ERR_AUTH_CLOSED';

/** What an {@link AuthError} is made of, besides its message. */
export interface AuthErrorDetails {
  /** What to do next, in a sentence or two. */
  hint: string;
  /** HTTP status of the answer that caused it, where there was one. */
  status?: number | undefined;
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
  declare readonly status?: number;
  declare readonly retryAfterMs?: number;

  constructor(code: AuthErrorCode, message: string, details: AuthErrorDetails) {
    super(message, details.cause === undefined ? undefined : { cause: details.cause });
    this.code = code;
    this.hint = details.hint;
    this.retryable = details.retryable ?? false;
    if (details.status !== undefined) this.status = details.status;
    if (details.retryAfterMs !== undefined) this.retryAfterMs = details.retryAfterMs;
  }

  /**
   * The same error for one more caller. Callers that wait for one sign-in each get an object of their own, as axios adds
   * the caller's frames to the stack of whatever it rethrows.
   *
   * @param retryAfterMs - milliseconds from now, where that has changed since
   */
  again(retryAfterMs = this.retryAfterMs): AuthError {
    const { hint, status, retryable, cause } = this;
    return new AuthError(this.code, this.message, { hint, status, retryable, retryAfterMs, cause });
  }
}

/** The codes once more, for values that nobody's compiler has seen. */
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
  ERR_AUTH_CLOSED: true,
};

/**
 * Whether a value is an {@link AuthError}, also one made by another copy of this package. A class of that name whose `code` is
 * none of ours is not. Never throws, whatever it is given.
 */
export function isAuthError(value: unknown): value is AuthError {
  try {
    if (!isError(value)) return false;
    const { name, code, hint } = value as Partial<AuthError>;
    return name === 'AuthError' && typeof code === 'string' && Object.hasOwn(CODES, code) && typeof hint === 'string';
  } catch {
    return false; // a getter that throws
  }
}

/** Errors of Node itself are of another realm than code that runs in a `vm` context, as every test under jest does. */
function isError(value: unknown): value is Error {
  return value instanceof Error || isNativeError(value);
}

/** Says why an answer of the API, which stays an AxiosError, was a refusal of the credential or of the user. */
export type ApiAuthCode =
  /** The credential is good, the user lacks a role or permission. */
  | 'ERR_AUTH_FORBIDDEN'
  /** The API token was refused. */
  | 'ERR_AUTH_TOKEN_REFUSED'
  /** The session's access token was refused, also after a refresh where one was possible. */
  | 'ERR_AUTH_SESSION_REFUSED';

/** What a 401 or 403 of the API gains. Read it with {@link apiRefusal}. */
export interface ApiRefusal {
  readonly authCode: ApiAuthCode;
  readonly hint: string;
}

/** What a 401 or 403 of the API means and what to do about it; undefined for any other error. */
export function apiRefusal(error: unknown): ApiRefusal | undefined {
  if (!(error instanceof Error) || !('authCode' in error)) return undefined;
  const { authCode, hint } = error as Error & ApiRefusal;
  return { authCode, hint };
}

/** Message of an answer to a good credential whose user lacks a role. Recorded: it comes with 401, not 403. */
const NOT_PRIVILEGED = 'you are not privileged.';

/** Whether an answer is about the user's roles and not about the credential, so that a new credential cannot help. */
export function isAboutPrivileges(answer: { status: number; data: unknown }): boolean {
  return answer.status === 403 || messageOf(answer.data) === NOT_PRIVILEGED;
}

/** Whether an answer means, as far as Qelos tells, that the credential was refused. */
export function isRefusedCredential(answer: { status: number; data: unknown }): boolean {
  return answer.status === 401 && !isAboutPrivileges(answer);
}

/**
 * Explains a 401 or 403 of the API.
 *
 * @param answer - status and parsed body
 * @param apiToken - whether the request carried an API token
 */
export function explainRefusal(answer: { status: number; data: unknown }, apiToken: boolean): ApiRefusal {
  if (isAboutPrivileges(answer)) {
    return {
      authCode: 'ERR_AUTH_FORBIDDEN',
      hint: 'The credential is good, but its user may not do this. Give the user the role or permission that the route asks for (or use another user); signing in again does not help.',
    };
  }
  if (apiToken) {
    return {
      authCode: 'ERR_AUTH_TOKEN_REFUSED',
      hint: 'The API token is one of: expired, revoked, mistyped, of another Qelos instance, or bound to a workspace that is gone; the server does not say which. Create a new one and set QELOS_API_TOKEN. If other calls still work, the service behind this route did not see the credential: try again.',
    };
  }
  return {
    authCode: 'ERR_AUTH_SESSION_REFUSED',
    hint: 'The server refused a fresh session too, so a new one does not help. One of: the user was disabled or lost its workspace, the route belongs to a service that does not accept this user, or the gateway could not reach the auth service. Check the user in Qelos, then the logs of that service.',
  };
}

/** What kind of thing was thrown: enough to look for it, without a text that could hold a secret. Never throws. */
export function kindOf(thrown: unknown): string {
  try {
    if (!isError(thrown)) return typeof thrown;
    const { name } = thrown.constructor;
    return typeof name === 'string' && /^[\w$]{1,60}$/.test(name) ? name : 'Error';
  } catch {
    return 'Error'; // one without a constructor, or with a getter that throws
  }
}

/** The `message` of a Qelos error body, if it has one. */
export function messageOf(data: unknown): string | undefined {
  if (typeof data !== 'object' || data === null || !('message' in data)) return undefined;
  return typeof data.message === 'string' ? data.message : undefined;
}
