import { AuthError } from '../contract/auth-error';
import { type Clock, COOL_DOWN, type Doubling, doubled } from './clock';
import { isUnreachable, mayPass } from './obtain-errors';

/** What the last flight failed with, and how long the next one has to wait. */
export interface Failure {
  readonly error: AuthError;
  /** The monotonic moment from which on a flight makes sense again. */
  readonly until: number;
  readonly kind: Kind;
  /** The wait without jitter; the next one is twice as long. */
  readonly baseMs: number;
  /** When the first failure of this kind in a row came up. */
  readonly since: number;
}

type Kind = keyof typeof WAITS;

/** How long to wait after a failure: doubling with each of its kind in a row. */
const WAITS = {
  /** The account is spared: nobody changes a wrong password within seconds. */
  refusal: COOL_DOWN,
  /** A password that has worked is refused while the auth service is being deployed. Afterwards it is probably wrong: `late`. */
  doubtfulRefusal: { firstMs: 1_000, mostMs: 4_000, late: { afterMs: 60_000, mostMs: 30_000 } },
  /** Nobody is there to be hammered, and calls shall go on soon after somebody is. */
  unreachable: { firstMs: 1_000, mostMs: 4_000 },
  /** What was read on this machine is at fault, such as a file: it costs the server nothing to read it again. */
  source: { firstMs: 1_000, mostMs: 15_000 },
  /** Overload, or an answer that is none of Qelos. */
  outage: { firstMs: 1_000, mostMs: 60_000 },
} as const satisfies Record<string, Doubling & { late?: { afterMs: number; mostMs: number } }>;

/**
 * The failure to remember.
 *
 * @param hasWorked - whether this process has obtained a credential in the same way before
 */
export function failed(last: Failure | undefined, error: AuthError, clock: Clock, hasWorked: boolean): Failure {
  const kind = kindOfFailure(error, hasWorked);
  const now = clock.now();
  const before = last?.kind === kind ? last : undefined;
  const since = before?.since ?? now;
  const wait: Doubling & { late?: { afterMs: number; mostMs: number } } = WAITS[kind];
  const mostMs = wait.late && now - since >= wait.late.afterMs ? wait.late.mostMs : wait.mostMs;
  const baseMs = Math.min(before ? before.baseMs * 2 : wait.firstMs, mostMs);
  const ms = kind === 'refusal' ? baseMs : Math.max(baseMs * (0.5 + clock.random() / 2), error.retryAfterMs ?? 0);
  return { error: error.again(Math.ceil(ms)), until: now + ms, kind, baseMs, since };
}

function kindOfFailure(error: AuthError, hasWorked: boolean): Kind {
  const { code, retryable } = error;
  if (code === 'ERR_AUTH_REFUSED' && retryable && hasWorked) return 'doubtfulRefusal';
  if (code === 'ERR_AUTH_REFUSED' || !retryable) return 'refusal';
  if (isUnreachable(error)) return 'unreachable';
  return code === 'ERR_AUTH_CONFIG' || code === 'ERR_AUTH_TOKEN_REFUSED' ? 'source' : 'outage';
}

/** The moments between tries of what may pass: random, from half of this up to it, doubling. Six tries take at most 8 s. */
const RETRY_PAUSE = { firstMs: 250, mostMs: 4_000 };
/** A server that asks to wait for longer is left alone: who waits for the flight is told instead. */
const MOST_RETRY_AFTER_MS = 5_000;
/** What may pass has had its chance after this. */
export const RETRY_WINDOW_MS = 10_000;

/**
 * How long to wait before the same flight tries again, in milliseconds; undefined if it should not.
 *
 * @param failures - how many tries have failed in a row
 */
export function pauseBeforeRetry(error: AuthError, failures: number, clock: Clock): number | undefined {
  const { retryAfterMs = 0 } = error;
  if (!mayPass(error) || retryAfterMs > MOST_RETRY_AFTER_MS) return undefined;
  return Math.max(doubled(RETRY_PAUSE, failures - 1) * (0.5 + clock.random() / 2), retryAfterMs);
}

/** A refused refresh leads to a sign-in, and a refused sign-in is the end; anything else that fails is an outage. */
export function isRefusal({ code }: AuthError): boolean {
  return code === 'ERR_AUTH_REFUSED' || code === 'ERR_AUTH_TOKEN_REFUSED';
}

/**
 * Whether a sign-in failed with a 401 that can be tried again: a write conflict, where the server contradicts itself until the
 * others are done, or a key that a service being deployed cannot check, which is over just as soon.
 */
export function isContradiction(error: unknown): error is AuthError {
  return error instanceof AuthError && error.httpStatus === 401 && error.retryable && !isRefusal(error);
}
