import { kindOf } from '../contract/auth-error';
import { type Credential, isSameCredential, parseCredential, serializeCredential } from '../contract/credential';
import type { CredentialStore } from '../contract/credential-store';
import type { EventHub } from '../events';
import type { Clock } from './clock';
import { untilAborted } from './until-aborted';

/** Gives a lock back. */
type Unlock = () => Promise<void>;

export interface SharedCredentialOptions {
  store: CredentialStore;
  /** Where in the store. */
  key: string;
  clock: Clock;
  events: Pick<EventHub, 'emit'>;
  /** Milliseconds that each operation may take. */
  timeoutMs: number;
}

/**
 * The credential that several processes share through a store: how it is locked, read and written. The store helps where it
 * can; where it fails or is slow, that is told by `storeFailed` and the caller goes on without it. Clients of a store that is
 * down often wait rather than fail, so each operation has a time-out of its own.
 */
export class SharedCredential {
  readonly #options: SharedCredentialOptions;
  /** The store's text when it was last read, and when the current credential was obtained. */
  #read: string | undefined;
  #replaced: string | undefined;

  constructor(options: SharedCredentialOptions) {
    this.#options = options;
  }

  /** Waits until nobody else holds the key. Undefined where the store cannot lock, or failed to. */
  lock(signal: AbortSignal): Promise<Unlock | undefined> {
    return this.#use(
      'lock',
      signal,
      (store, signal) => store.lock?.(this.#options.key, { signal }),
      (unlock) => void (unlock && this.unlock(unlock)),
    );
  }

  /** Lets go of the lock in any case: nobody else will, as its holder is still there. */
  unlock(unlock: Unlock): Promise<void> {
    return this.#use('unlock', new AbortController().signal, unlock);
  }

  /**
   * What the store holds, if it is another credential than the one given, and not what that one has replaced: a store that
   * failed to save would bring back a spent refresh token.
   */
  async newerThan(current: Credential | undefined, signal: AbortSignal): Promise<Credential | undefined> {
    const text = await this.#use('load', signal, (store, signal) => store.load(this.#options.key, { signal }));
    if (text === undefined || text === this.#replaced) return undefined;
    this.#read = text;
    const stored = parseCredential(text);
    return stored && !(current && isSameCredential(stored, current)) ? stored : undefined;
  }

  /** Saves a credential, by the deadline too: who obtained it has no use for another one. Fails only once `isClosed`. */
  async save(credential: Credential, signal: AbortSignal, isClosed: () => boolean): Promise<void> {
    await this.#use(
      'save',
      signal,
      (store, signal) => store.save(this.#options.key, serializeCredential(credential), { signal }),
      undefined,
      isClosed,
    );
  }

  /** Notes that another credential has taken the place of what was read last. */
  replaced(): void {
    this.#replaced = this.#read;
  }

  /** @param mayFail - whether an aborted signal is told; else only the event is */
  async #use<T>(
    operation: 'lock' | 'load' | 'save' | 'unlock',
    signal: AbortSignal,
    use: (store: CredentialStore, signal: AbortSignal) => Promise<T> | undefined,
    tooLate?: (result: T | undefined) => void,
    mayFail: () => boolean = () => true,
  ): Promise<T | undefined> {
    const { store, clock, events, timeoutMs } = this.#options;
    const patience = new AbortController();
    const cancel = clock.schedule(timeoutMs, () => patience.abort(new StoreTimeout()));
    const either = AbortSignal.any([signal, patience.signal]);
    try {
      return await untilAborted(either, async () => use(store, either), tooLate);
    } catch (error) {
      if (signal.aborted && mayFail()) throw signal.reason;
      events.emit('storeFailed', { operation, reason: kindOf(error) });
      return undefined;
    } finally {
      cancel();
    }
  }
}

/** What a store's operation fails with that takes too long. */
class StoreTimeout extends Error {}
