import { debuglog } from 'node:util';
import { AuthError, isAuthError, kindOf } from '../contract/auth-error';
import type { StrategyObject } from '../contract/auth-strategy';
import { askedBy, awaitedBy } from '../http/asked-server';
import { axiosInUse } from '../http/axios';
import { type About, checkAddress, errorFromAnswer, MAX_RETRY_AFTER_MS, named, type Operation } from './failed-answer';

const debug = debuglog('qelos-auth');

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
function errorWithoutAnswer(operation: Operation, code: string | undefined, about: About): AuthError {
  const { host, setting } = about;
  const text = `The ${operation} got no answer (${code ?? 'network fault'})${named('from', about)}.`;
  const error = new AuthError('ERR_AUTH_UNAVAILABLE', text, {
    hint: `Check that ${setting ?? host ?? 'the server that the strategy asks'} can be reached from this machine: host name, port, firewall, certificate. Retried automatically.`,
    retryable: true,
  });
  return code === undefined ? error : causedBy(code, error);
}

function tooLarge(operation: Operation, about: About): AuthError {
  const text = `The ${operation} was answered with more than a credential can be${named('by', about)}.`;
  return new AuthError('ERR_AUTH_BAD_RESPONSE', text, {
    hint: checkAddress(about),
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
    const about = typeof fault === 'object' && fault !== null ? askedBy(fault, strategy) : { strategy };
    if (axiosInUse().isAxiosError(fault) && fault.response !== undefined) {
      const { status, data, headers } = fault.response;
      const retryAfter = headers['retry-after'];
      const answer = { status, data, retryAfter: typeof retryAfter === 'string' ? retryAfter : undefined };
      return errorFromAnswer(operation, answer, about);
    }
    const code = networkCode(fault);
    if (code !== undefined) return errorWithoutAnswer(operation, code, about);
    if (axiosInUse().isAxiosError(fault)) {
      if (fault.code !== 'ERR_BAD_RESPONSE') return errorWithoutAnswer(operation, fault.code, about);
      // By the same code axios says that the body was too large and that its connection broke.
      return /abort/.test(fault.message)
        ? errorWithoutAnswer(operation, 'ECONNRESET', about)
        : tooLarge(operation, about);
    }
    if (!(error instanceof Error)) return strategyFault(`a value of type ${typeof error}`, operation, strategy);
    return strategyFault(kindOf(error), operation, strategy, traceOf(error));
  } catch {
    return strategyFault('something that cannot be looked at', operation, strategy);
  }
}

function strategyFault(thrown: string, operation: Operation, strategy: string, cause?: Error): AuthError {
  const text = `The strategy "${strategy}" failed at ${operation}: it threw ${thrown}.`;
  if (cause) debug('%s %s', text, cause.stack);
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

/** Says that a strategy has returned something else. */
export function noCredential(strategy: string, operation: Operation): AuthError {
  return new AuthError('ERR_AUTH_BAD_RESPONSE', `The strategy "${strategy}" returned no Credential at ${operation}.`, {
    hint: 'This is a fault in the strategy: return Credential.apiKey(…), Credential.bearer(…) or Credential.headers(…).',
  });
}

/**
 * Says that a flight, or one call of it, has taken too long.
 *
 * @param signal - what ends the call of the strategy that may have been waiting for a server
 */
export function deadlineError(timeoutMs: number, strategy: StrategyObject, signal: AbortSignal): AuthError {
  const awaited = awaitedBy(signal);
  const waited = awaited ? `: ${awaited.host} has not answered` : '';
  const text = `No credential was obtained within ${timeoutMs} ms${waited} (strategy "${nameOf(strategy)}").`;
  const whom = awaited?.setting ?? awaited?.host ?? 'whoever the strategy asks';
  const error = new AuthError('ERR_AUTH_UNAVAILABLE', text, {
    hint: `Check that ${whom} can be reached, and answers in time; the option config.timeoutMs, or signInTimeoutMs of the strategy, sets the limit. Retried automatically.`,
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

/** How long the strategy wants its sign-ins to take at most; undefined if it names no time. */
export function signInTimeoutOf({ signInTimeoutMs }: StrategyObject): number | undefined {
  return typeof signInTimeoutMs === 'number' && signInTimeoutMs > 0 ? signInTimeoutMs : undefined;
}
