import { channel } from 'node:diagnostics_channel';
import { debuglog } from 'node:util';
import { promptAtTerminal } from './action-prompt';
import { type AuthErrorCode, kindOf } from './contract/auth-error';
import { type Logger, logTo } from './logger';
import type { ApiAuthCode } from './qelos/refusal';
import { Tally } from './tally';

/** What every event says. */
export interface AuthEvent {
  /** Whose it is: the instance's name, else the origin of its URL; for a tenant of `TenantAuth` the tenant's name. */
  instance: string;
}

/** What an event says of a credential that was obtained. */
export interface ObtainedEvent extends AuthEvent {
  strategy: string;
  expiresAt?: Date;
  /** Milliseconds that it took, retries and pauses included. */
  durationMs: number;
  /** Identifier of the workspace that the credential is bound to, where the server said it. */
  workspace?: string;
  /** Of an API token of Qelos: its first 8 characters, by which Qelos lists it. */
  tokenPrefix?: string;
}

/** What an event says of a credential that could not be obtained. */
export interface FailedEvent extends AuthEvent {
  strategy: string;
  code: AuthErrorCode;
  /** HTTP status of the answer, where there was one. */
  httpStatus?: number;
  /** Milliseconds until the next try. */
  retryAfterMs?: number;
  /** Host, and port if it is not the scheme's own, of the Qelos instance. */
  host?: string;
  /** Milliseconds that it took, retries and pauses included. */
  durationMs: number;
}

/** What happens inside, by event name. No event ever holds a secret. */
export interface AuthEvents {
  /** A strategy was chosen from configuration; `skipped` says why the ones before it were not. Once, at start. */
  strategySelected: AuthEvent & {
    strategy: string;
    skipped: readonly { name: string; missing: readonly string[] }[];
  };
  /** A credential was obtained by signing in. */
  signedIn: ObtainedEvent;
  /** No credential could be obtained by signing in. Calls that need one fail with the same code. */
  signInFailed: FailedEvent;
  /** A credential was renewed by refreshing, or taken over from another process through the store (`adopted`). */
  refreshed: ObtainedEvent & { adopted: boolean };
  /** The current credential could not be refreshed. A refusal leads to a sign-in; else it serves on while it lives. */
  refreshFailed: FailedEvent;
  /** A configured API token of known end has less than 14 days left. Once per token and process. */
  credentialExpiring: AuthEvent & { strategy: string; expiresAt: Date; tokenPrefix?: string };
  /** A strategy asks for something that only a person can do, such as to open `url` and to enter `code` there. */
  actionRequired: AuthEvent & { strategy: string; message: string; url?: string; code?: string; expiresAt?: Date };
  /** A request was refused and sent once more with another credential. `path` is without query. */
  requestRetried: AuthEvent & { method: string; path: string; status: number };
  /** The API answered 401 or 403, and that is the answer of the call. `authCode` says what it means, as on the call's error. */
  requestRefused: AuthEvent & { method: string; path: string; status: number; authCode: ApiAuthCode };
  /** The credential store failed; the process goes on without it. */
  storeFailed: AuthEvent & { operation: 'lock' | 'load' | 'save' | 'unlock'; reason: string };
}

/** An event as the part says it that it comes from: whose it is, others know. */
export type Told<E extends keyof AuthEvents> = Omit<AuthEvents[E], 'instance'>;

const diagnostics = channel('qelos-auth');
const debug = debuglog('qelos-auth');

/**
 * Tells listeners, a logger, `node:diagnostics_channel` (channel `qelos-auth`, messages `{ event, …detail }`) and
 * `NODE_DEBUG=qelos-auth` what happens, and counts it. A listener or logger that throws, or whose promise rejects, harms nobody.
 */
export class EventHub {
  readonly tally = new Tally();
  readonly #instance: string;
  readonly #logger: Logger | undefined;
  readonly #listeners = new Map<keyof AuthEvents, Set<(detail: never) => void>>();

  /** @param instance - whose events they are, unless they say so themselves */
  constructor(instance: string, logger?: Logger) {
    this.#instance = instance;
    this.#logger = logger;
  }

  /** Adds a listener. Returns the function that removes it. */
  on<E extends keyof AuthEvents>(event: E, listener: (detail: AuthEvents[E]) => void): () => void {
    const listeners = this.#listeners.get(event) ?? new Set();
    this.#listeners.set(event, listeners.add(listener));
    return () => void listeners.delete(listener);
  }

  /** @param made - what is told, or what makes it: that is asked only if somebody listens, as some events come by the thousand */
  emit<E extends keyof AuthEvents>(event: E, made: Told<E> | (() => Told<E>)): void {
    this.tally.count(event, made);
    const logger = this.#logger;
    const isHeard = this.#listeners.get(event)?.size || logger || diagnostics.hasSubscribers || debug.enabled;
    if (!isHeard && event !== 'actionRequired') return;
    const detail = { instance: this.#instance, ...resolved(made) } as AuthEvents[E];
    if (!isHeard) promptAtTerminal(detail as AuthEvents['actionRequired']);
    debug('%s %j', event, detail);
    if (diagnostics.hasSubscribers) diagnostics.publish({ event, ...detail });
    if (logger) harmless(`the logger threw at ${event}`, () => logTo(logger, event, detail));
    for (const listener of (this.#listeners.get(event) ?? []) as Set<(detail: AuthEvents[E]) => void>) {
      harmless(`a listener of ${event} threw`, () => listener(detail));
    }
  }
}

/** What is told, whether it was made already or not. */
export function resolved<T extends object>(made: T | (() => T)): T {
  return typeof made === 'function' ? (made as () => T)() : made;
}

/** Runs what belongs to somebody else; that it throws, or rejects, is told under NODE_DEBUG alone. */
function harmless(what: string, run: () => unknown): void {
  const tell = (error: unknown) => debug('%s: %s', what, kindOf(error));
  try {
    const returned = run();
    if (isThenable(returned)) returned.then(undefined, tell);
  } catch (error) {
    tell(error);
  }
}

/** A promise, also one of another realm or library. */
function isThenable(value: unknown): value is PromiseLike<unknown> {
  return typeof value === 'object' && value !== null && 'then' in value && typeof value.then === 'function';
}
