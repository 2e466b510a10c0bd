import { isNativeError } from 'node:util/types';
import { isAxiosError } from 'axios';
import { AuthError, isAuthError, kindOf } from '../contract/auth-error';

/** What was being done when an error came up. */
export type Operation = 'sign-in' | 'refresh' | 'signing of a request';

/** An answer to a sign-in or refresh that is not a success. */
export interface FailedAnswer {
  status: number;
  /** The value of its `Retry-After` header, if it has one. */
  retryAfter?: string | undefined;
}

/** However long a server asks to wait, somebody may have repaired it: ask again after five minutes. */
const MAX_RETRY_AFTER_MS = 300_000;

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
export function errorFromAnswer(operation: Operation, answer: FailedAnswer): AuthError {
  const { status } = answer;
  const seen = `The ${operation} was answered with HTTP status ${status}`;
  if (status === 429 || status === 408 || status >= 500) {
    return new AuthError('ERR_AUTH_UNAVAILABLE', `${seen}.`, {
      hint: 'The server or a proxy in front of it is overloaded or out of order. The next try is made by itself; if it lasts, look at the state of the Qelos instance.',
      status,
      retryable: true,
      retryAfterMs: retryAfterMs(answer.retryAfter),
    });
  }
  if (status === 401 || status === 403) {
    return new AuthError('ERR_AUTH_REFUSED', `${seen}.`, {
      hint: 'Check the credentials that are configured and the user behind them.',
      status,
    });
  }
  return new AuthError('ERR_AUTH_BAD_RESPONSE', `${seen}, which is no answer of Qelos to it.`, {
    hint: 'Check that QELOS_URL is the base URL of a Qelos instance (without /api), and that no proxy or log-in page stands in front of it.',
    status,
    retryable: true,
  });
}

/** No answer at all: a network fault, a time-out, an answer out of bounds. */
function errorWithoutAnswer(operation: Operation, code: string | undefined): AuthError {
  if (code === 'ERR_BAD_RESPONSE') {
    return new AuthError('ERR_AUTH_BAD_RESPONSE', `The ${operation} was answered with more than a credential can be.`, {
      hint: 'Check that QELOS_URL is the base URL of a Qelos instance, and what stands in front of it.',
      retryable: true,
    });
  }
  return new AuthError('ERR_AUTH_UNAVAILABLE', `The ${operation} got no answer (${code ?? 'network fault'}).`, {
    hint: 'Check that QELOS_URL (or the server that a strategy of your own asks) can be reached from this machine: host name, port, firewall, certificate. The next try is made by itself.',
    retryable: true,
  });
}

/**
 * The one boundary over which failures of strategies come: turns whatever was thrown into a well-formed AuthError. Of a
 * foreign error it keeps no text: it could hold a secret. Never throws.
 */
export function toAuthError(error: unknown, operation: Operation, strategy: string): AuthError {
  try {
    if (isAuthError(error)) return wellFormed(error);
    // As `fetch` says that there was no answer.
    const fault = error instanceof TypeError && isAxiosError(error.cause) ? error.cause : error;
    if (isAxiosError(fault)) {
      const { response, code } = fault;
      if (response === undefined) return errorWithoutAnswer(operation, code);
      const retryAfter = response.headers?.['retry-after'];
      return errorFromAnswer(operation, {
        status: response.status,
        retryAfter: typeof retryAfter === 'string' ? retryAfter : undefined,
      });
    }
  } catch {
    // What it was made of could not be looked at: it is as foreign as any other.
  }
  const kind = kindOf(error);
  const thrown = error instanceof Error || isNativeError(error) ? kind : `a value of type ${kind}`;
  return new AuthError(
    'ERR_AUTH_BAD_RESPONSE',
    `The strategy "${strategy}" failed at ${operation}: it threw ${thrown}.`,
    {
      hint: 'This is a fault in the strategy. Have it throw an AuthError that says what is wrong; the text of other errors is not shown, as it could hold a secret.',
    },
  );
}

/**
 * An AuthError of ours with what one has that may be of another copy of this package, or of a class that extends it. What
 * the failure memory reckons with has to be a number: NaN would end no pause, and infinity every one.
 */
function wellFormed(error: AuthError): AuthError {
  const { code, message, hint, status, retryable, retryAfterMs: given, cause } = error;
  const retryAfterMs = typeof given === 'number' && given > 0 ? Math.min(given, MAX_RETRY_AFTER_MS) : undefined;
  const isOurs = Object.getPrototypeOf(error) === AuthError.prototype && given === retryAfterMs;
  if (isOurs) return error;
  return new AuthError(code, String(message), {
    hint: String(hint),
    status: Number.isInteger(status) ? status : undefined,
    retryable: retryable === true,
    retryAfterMs,
    cause,
  });
}

/** The name of a strategy, for messages and events. Never throws, as a getter of somebody else's may. */
export function nameOf(strategy: { readonly name: string }): string {
  try {
    return String(strategy.name);
  } catch {
    return 'unnamed';
  }
}
