import { channel } from 'node:diagnostics_channel';
import { debuglog } from 'node:util';
import { promptAtTerminal } from './action-prompt';
import { type AuthErrorCode, kindOf } from './contract/auth-error';

/** What happens inside, by event name. No event ever holds a secret. */
export interface AuthEvents {
  /** A strategy was chosen from configuration; `skipped` says why the ones before it were not. Once, at start. */
  strategySelected: {
    strategy: string;
    skipped: readonly { name: string; missing: readonly string[] }[];
  };
  /** A credential was obtained by signing in. */
  signedIn: { strategy: string; expiresAt?: Date };
  /** A credential was renewed by refreshing, or taken over from another process through the store (`adopted`). */
  refreshed: { strategy: string; expiresAt?: Date; adopted: boolean };
  /** The current credential could not be renewed. `retryAfterMs`: milliseconds until the next try. */
  refreshFailed: { strategy: string; code: AuthErrorCode; httpStatus?: number; retryAfterMs?: number };
  /** A strategy asks for something that only a person can do, such as to open `url` and to enter `code` there. */
  actionRequired: { strategy: string; message: string; url?: string; code?: string; expiresAt?: Date };
  /** A request was refused and sent once more with another credential. `path` is without query. */
  requestRetried: { method: string; path: string; status: number };
  /** The credential store failed; the process goes on without it. */
  storeFailed: { operation: 'lock' | 'load' | 'save' | 'unlock'; reason: string };
}

const diagnostics = channel('qelos-auth');
const debug = debuglog('qelos-auth');

/**
 * Tells listeners, `node:diagnostics_channel` (channel `qelos-auth`, messages `{ event, …detail }`) and
 * `NODE_DEBUG=qelos-auth` what happens. A listener that throws, or whose promise rejects, harms nobody.
 */
export class EventHub {
  readonly #listeners = new Map<keyof AuthEvents, Set<(detail: never) => void>>();

  /** Adds a listener. Returns the function that removes it. */
  on<E extends keyof AuthEvents>(event: E, listener: (detail: AuthEvents[E]) => void): () => void {
    const listeners = this.#listeners.get(event) ?? new Set();
    this.#listeners.set(event, listeners.add(listener));
    return () => void listeners.delete(listener);
  }

  /** @param made - what is told, or what makes it: that is asked only if somebody listens, as some events come by the thousand */
  emit<E extends keyof AuthEvents>(event: E, made: AuthEvents[E] | (() => AuthEvents[E])): void {
    const isHeard = this.#listeners.get(event)?.size || diagnostics.hasSubscribers || debug.enabled;
    if (!isHeard && event !== 'actionRequired') return;
    const detail = typeof made === 'function' ? made() : made;
    if (!isHeard) promptAtTerminal(detail as AuthEvents['actionRequired']);
    debug('%s %j', event, detail);
    if (diagnostics.hasSubscribers) diagnostics.publish({ event, ...detail });
    for (const listener of (this.#listeners.get(event) ?? []) as Set<(detail: AuthEvents[E]) => void>) {
      try {
        const returned: unknown = listener(detail);
        if (isThenable(returned)) returned.then(undefined, (error) => tellThrown(event, error));
      } catch (error) {
        tellThrown(event, error);
      }
    }
  }
}

/** A promise, also one of another realm or library. */
function isThenable(value: unknown): value is PromiseLike<unknown> {
  return typeof value === 'object' && value !== null && 'then' in value && typeof value.then === 'function';
}

function tellThrown(event: keyof AuthEvents, error: unknown): void {
  debug('a listener of %s threw: %s', event, kindOf(error));
}
