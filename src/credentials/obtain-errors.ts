import { AuthError, isAuthError, kindOf } from '../contract/auth-error';
import { axiosInUse } from '../http/axios';

/** What was being done when an error came up. */
export type Operation = 'sign-in' | 'refresh' | 'signing of a request' | 'check of the caller';

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
  return new AuthError('ERR_AUTH_BAD_RESPONSE', `${seen}, which is no answer of Qelos to it.`, {
    hint: 'Check that QELOS_URL is the base URL of a Qelos instance (without /api), and that no proxy or log-in page stands in front of it.',
    httpStatus: status,
    retryable: true,
  });
}

/** By these codes of Node, undici and axios there was no connection, or it broke: what may be different a moment later. */
const BROKEN = new Set([
  'ECONNRESET',
  'ECONNREFUSED',
  'EPIPE',
  'ENOTFOUND',
  'EAI_AGAIN',
  'EHOSTUNREACH',
  'EHOSTDOWN',
  'ENETUNREACH',
  'ENETDOWN',
  'EADDRNOTAVAIL',
  'ERR_NETWORK',
  'ERR_STREAM_PREMATURE_CLOSE',
  'UND_ERR_SOCKET',
]);

/** By these a time-out of somebody's own ended it: the server is slow, and more of the same does not help it. */
const TIMED_OUT = new Set([
  'ETIMEDOUT',
  'ECONNABORTED',
  'ESOCKETTIMEDOUT',
  'UND_ERR_CONNECT_TIMEOUT',
  'UND_ERR_HEADERS_TIMEOUT',
  'UND_ERR_BODY_TIMEOUT',
]);

/** The answers of a server, or of a proxy in front of it, that is out of order for a moment. */
const PASSING_STATUSES: readonly unknown[] = [500, 502, 503, 504];

/** The network faults behind AuthErrors, which show nothing of them but a code in their message. */
const networkFaults = new WeakMap<AuthError, string>();

/** Whether what failed may succeed a moment later, so that it is worth to try again while callers wait. */
export function mayPass(error: AuthError): boolean {
  if (error.code !== 'ERR_AUTH_UNAVAILABLE' || !error.retryable) return false;
  return error.httpStatus === undefined
    ? BROKEN.has(networkFaults.get(error) ?? '')
    : PASSING_STATUSES.includes(error.httpStatus);
}

/** Whether there was no answer at all: nobody is served by asking such a server less often than every few seconds. */
export function isUnreachable(error: AuthError): boolean {
  return networkFaults.has(error);
}

/** Notes the network fault behind an error. */
export function causedBy(code: string, error: AuthError): AuthError {
  networkFaults.set(error, code);
  return error;
}

/** The code of the network fault that an error is, or was caused by. */
function networkCode(error: unknown): string | undefined {
  for (let current = error, depth = 0; typeof current === 'object' && current !== null && depth < 8; depth++) {
    const { code, name, cause } = current as { code?: unknown; name?: unknown; cause?: unknown };
    if (typeof code === 'string' && (BROKEN.has(code) || TIMED_OUT.has(code))) return code;
    if (name === 'TimeoutError') return 'ETIMEDOUT'; // AbortSignal.timeout()
    current = cause;
  }
  return undefined;
}

/** No answer at all: a network fault, a time-out, an answer out of bounds. */
function errorWithoutAnswer(operation: Operation, code: string | undefined): AuthError {
  const text = `The ${operation} got no answer (${code ?? 'network fault'}).`;
  const error = new AuthError('ERR_AUTH_UNAVAILABLE', text, {
    hint: 'Check that QELOS_URL (or the server that a strategy of your own asks) can be reached from this machine: host name, port, firewall, certificate. Retried automatically.',
    retryable: true,
  });
  return code === undefined ? error : causedBy(code, error);
}

function tooLarge(operation: Operation): AuthError {
  return new AuthError('ERR_AUTH_BAD_RESPONSE', `The ${operation} was answered with more than a credential can be.`, {
    hint: 'Check that QELOS_URL is the base URL of a Qelos instance, and what stands in front of it.',
    retryable: true,
  });
}

/**
 * Turns whatever a strategy failed with into a well-formed AuthError of this copy of the package; the one place that does. Of
 * a foreign error it keeps no text: it could hold a secret. Never throws.
 */
export function toAuthError(error: unknown, operation: Operation, strategy: string): AuthError {
  try {
    if (isAuthError(error)) return wellFormed(error);
    // As `fetch` says that there was no answer.
    const fault = error instanceof TypeError && axiosInUse().isAxiosError(error.cause) ? error.cause : error;
    if (axiosInUse().isAxiosError(fault) && fault.response !== undefined) {
      const retryAfter = fault.response.headers['retry-after'];
      return errorFromAnswer(operation, {
        status: fault.response.status,
        retryAfter: typeof retryAfter === 'string' ? retryAfter : undefined,
      });
    }
    const code = networkCode(fault);
    if (code !== undefined) return errorWithoutAnswer(operation, code);
    if (axiosInUse().isAxiosError(fault)) {
      if (fault.code !== 'ERR_BAD_RESPONSE') return errorWithoutAnswer(operation, fault.code);
      // By the same code axios says that the body was too large and that its connection broke.
      return /abort/.test(fault.message) ? errorWithoutAnswer(operation, 'ECONNRESET') : tooLarge(operation);
    }
    if (!(error instanceof Error)) return strategyFault(`a value of type ${typeof error}`, operation, strategy);
    return strategyFault(kindOf(error), operation, strategy, traceOf(error));
  } catch {
    return strategyFault('something that cannot be looked at', operation, strategy);
  }
}

function strategyFault(thrown: string, operation: Operation, strategy: string, cause?: Error): AuthError {
  const text = `The strategy "${strategy}" failed at ${operation}: it threw ${thrown}.`;
  return new AuthError('ERR_AUTH_BAD_RESPONSE', text, {
    hint: 'This is a fault in the strategy, or in what it sends with (an adapter, a mock): the stack of `cause` leads there. Have a strategy throw an AuthError that says what is wrong; the text of other errors is not shown, as it could hold a secret.',
    cause,
  });
}

/** Errors are caused by errors, seldom by more than this. */
const MOST_CAUSES = 4;

/** Where a foreign error comes from, and what caused it, without its text: its kind and the frames of its stack. */
function traceOf(error: Error, depth = 0): Error {
  const { stack, message, cause } = error;
  const isNested = cause instanceof Error && depth < MOST_CAUSES;
  const trace = new Error(`${kindOf(error)}, without its text`, isNested ? { cause: traceOf(cause, depth + 1) } : {});
  trace.stack = [String(trace), ...framesIn(String(stack), String(message))].join('\n');
  return trace;
}

/** A text may have lines that look like frames, so it is cut out first; frames behind a text that was changed since are not told. */
function framesIn(stack: string, message: string): string[] {
  const at = stack.indexOf(message);
  if (at < 0 || stack.slice(0, at).includes('\n')) return [];
  const behind = stack.slice(at + message.length).split('\n');
  return behind.filter((line) => /^ +at /.test(line));
}

/** Of another copy of the package, of a class that extends ours, or with numbers that are none: what it says, in an AuthError of ours. */
function wellFormed(error: AuthError): AuthError {
  const { code, message, hint, httpStatus, retryable, retryAfterMs, cause } = error;
  const details = {
    hint,
    httpStatus: Number.isInteger(httpStatus) ? httpStatus : undefined,
    retryable: retryable === true,
    retryAfterMs: clamped(retryAfterMs),
    cause,
  };
  const isOurs = Object.getPrototypeOf(error) === AuthError.prototype;
  const isAsItSays =
    details.httpStatus === httpStatus && details.retryable === retryable && details.retryAfterMs === retryAfterMs;
  return isOurs && isAsItSays ? error : new AuthError(code, String(message), details);
}

/** Milliseconds to wait that somebody else has named: a positive number of at most five minutes, or none. */
function clamped(ms: number | undefined): number | undefined {
  return typeof ms === 'number' && ms > 0 ? Math.min(ms, MAX_RETRY_AFTER_MS) : undefined;
}

/** A refused refresh leads to a sign-in, and a refused sign-in is the end; anything else that fails is an outage. */
export function isRefusal({ code }: AuthError): boolean {
  return code === 'ERR_AUTH_REFUSED' || code === 'ERR_AUTH_TOKEN_REFUSED';
}

/** Says that a strategy has returned something else. */
export function noCredential(strategy: string, operation: Operation): AuthError {
  return new AuthError('ERR_AUTH_BAD_RESPONSE', `The strategy "${strategy}" returned no Credential at ${operation}.`, {
    hint: 'This is a fault in the strategy: return Credential.apiKey(…), Credential.bearer(…) or Credential.headers(…).',
  });
}

/** Says that a flight, or one call of it, has taken too long. */
export function deadlineError(timeoutMs: number): AuthError {
  const error = new AuthError('ERR_AUTH_UNAVAILABLE', `No credential was obtained within ${timeoutMs} ms.`, {
    hint: 'The Qelos instance does not answer, or too slowly. Check that QELOS_URL can be reached and look at its state; the option config.timeoutMs sets the limit. Retried automatically.',
    retryable: true,
  });
  return causedBy('ETIMEDOUT', error);
}

/** The name of a strategy, for messages and events. Never throws, as a getter of somebody else's may. */
export function nameOf(strategy: { readonly name: string }): string {
  try {
    return String(strategy.name);
  } catch {
    return 'unnamed';
  }
}
