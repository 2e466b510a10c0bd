import { AuthError, type AuthErrorCode } from '../contract/auth-error';
import type { Asked } from '../http/asked-server';

/** What was being done when an error came up. */
export type Operation = 'sign-in' | 'refresh' | 'signing of a request' | 'check of the caller';

/** Who asked whom, as far as that is known. */
export type About = Partial<Asked>;

/** An answer to a sign-in or refresh that is not a success. */
export interface FailedAnswer {
  status: number;
  /** The parsed body. */
  data?: unknown;
  /** The value of its `Retry-After` header, if it has one. */
  retryAfter?: string | undefined;
}

/** However long a server asks to wait, somebody may have repaired it: ask again after five minutes. */
export const MAX_RETRY_AFTER_MS = 300_000;

/**
 * How long an answer asks to wait, in milliseconds: `Retry-After` as seconds or as an HTTP date (RFC 9110, 10.2.3), at most
 * five minutes. Undefined if it says nothing readable, or a moment in the past.
 */
export function retryAfterMs(header: string | undefined, wallClock = Date.now()): number | undefined {
  const value = header?.trim();
  if (!value) return undefined;
  const ms = /^\d+$/.test(value) ? Number(value) * 1000 : Date.parse(value) - wallClock;
  return ms > 0 ? Math.min(ms, MAX_RETRY_AFTER_MS) : undefined;
}

/** Says what an answer that is not a success means for a sign-in or refresh. */
export function errorFromAnswer(operation: Operation, answer: FailedAnswer, about: About): AuthError {
  const { status } = answer;
  const oauth = status === 400 || status === 401 ? errorOfOAuth(answer.data) : undefined;
  const seen = `The ${operation} was answered with HTTP status ${status}${oauth ? ` and "${oauth}"` : ''}${named('by', about)}`;
  if (oauth)
    return new AuthError(OAUTH_ERRORS[oauth].code, `${seen}.`, { hint: OAUTH_ERRORS[oauth].hint, httpStatus: status });
  if (status === 429 || status === 408 || status >= 500) {
    return new AuthError('ERR_AUTH_UNAVAILABLE', `${seen}.`, {
      hint: 'The server or a proxy in front of it is overloaded or out of order. Retried automatically; if it lasts, look at the state of that server.',
      httpStatus: status,
      retryable: true,
      retryAfterMs: retryAfterMs(answer.retryAfter),
    });
  }
  if (status === 401 || status === 403) {
    return new AuthError('ERR_AUTH_REFUSED', `${seen}.`, {
      hint: 'Check the credentials that are configured and the user behind them.',
      httpStatus: status,
    });
  }
  return new AuthError(
    'ERR_AUTH_BAD_RESPONSE',
    `${seen}, which is no answer ${about.setting ? 'of Qelos ' : ''}to it.`,
    {
      hint: checkAddress(about),
      httpStatus: status,
      retryable: true,
    },
  );
}

/** Names who asked whom, in an error's message. */
export function named(preposition: 'by' | 'from', { host, strategy }: About): string {
  const asked = host === undefined ? '' : ` ${preposition} ${host}`;
  return strategy === undefined ? asked : `${asked} (strategy "${strategy}")`;
}

/** What to do where an answer is not one of whoever should be there. */
export function checkAddress({ setting, host, strategy }: About): string {
  return setting === undefined
    ? `Check the address of ${host ?? 'the server'} in the settings of the strategy "${strategy}", and that no proxy or log-in page stands in front of it.`
    : `Check that ${setting} is the base URL of a Qelos instance (without /api), and that no proxy or log-in page stands in front of it.`;
}

/** What OAuth servers say, with status 400, or 401 for a client (RFC 6749, 5.2), where somebody has to change something. */
const OAUTH_ERRORS = {
  invalid_client: {
    code: 'ERR_AUTH_REFUSED',
    hint: 'The server does not know the client, or its secret is another one. Check the identifier and the secret of the client.',
  },
  invalid_grant: {
    code: 'ERR_AUTH_REFUSED',
    hint: 'What the strategy signs in with (a password, a code, an assertion, a refresh token) is wrong, has ended or was revoked, or was issued to another client.',
  },
  unauthorized_client: {
    code: 'ERR_AUTH_CONFIG',
    hint: 'The client may not use this kind of grant. Allow it where the client is registered.',
  },
  invalid_scope: {
    code: 'ERR_AUTH_CONFIG',
    hint: 'The scope that the strategy asks for is unknown, malformed, or more than the client may have. Correct it in the settings of the strategy, or where the client is registered.',
  },
} as const satisfies Record<string, { code: AuthErrorCode; hint: string }>;

function errorOfOAuth(data: unknown): keyof typeof OAUTH_ERRORS | undefined {
  const error: unknown = typeof data === 'object' && data !== null && 'error' in data ? data.error : undefined;
  return typeof error === 'string' && Object.hasOwn(OAUTH_ERRORS, error)
    ? (error as keyof typeof OAUTH_ERRORS)
    : undefined;
}
