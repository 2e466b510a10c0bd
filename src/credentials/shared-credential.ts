import { randomUUID } from 'node:crypto';
import { kindOf } from '../contract/auth-error';
import { type Credential, isSameCredential, parseCredential, serializeCredential } from '../contract/credential';
import type { CredentialStore, StoredCredential, StoreOptions } from '../contract/credential-store';
import type { EventHub } from '../events';
import { type Clock, doubled } from './clock';
import { clockErrorOf, hasEnded } from './lifetime';
import { StoredRecordError } from './stored-record-error';
import { pause, untilAborted } from './until-aborted';

export interface SharedCredentialOptions {
  store: CredentialStore;
  /** Where in the store. */
  key: string;
  clock: Clock;
  events: Pick<EventHub, 'emit'>;
  /** Milliseconds that obtaining a credential may take in all; each operation may take a tenth of it. */
  timeoutMs: number;
}

/** What a flight finds when it is its turn. */
export interface Turn {
  /** What a sibling has saved, if it has not ended. */
  readonly adopted?: Credential;
  /** What a sibling has saved, if it has: its refresh token is the newest. */
  readonly ended?: Credential | undefined;
  /** Lets go of the lock. */
  readonly unlock?: () => Promise<void>;
}

type StoreOperation = 'lock' | 'load' | 'save' | 'unlock';

/** Each operation may take this share of the time that a flight has. */
const SHARE_OF_AN_OPERATION = 0.1;
/** How long to wait for a sibling that holds the lock, as shares of a flight's time: random, so that one goes on before the others. */
const PATIENCE = { least: 0.125, most: 0.25 };
/** A lock outlives the flight that holds it, so that it ends only if its holder is gone. */
const LEASE_FLIGHTS = 2;
const EXTENSIONS_A_LEASE = 4;
/** For what is bounded by its own time alone. */
const NEVER = new AbortController().signal;
/** Between looks at what a sibling does that holds the lock. */
const LOOK_PAUSE = { firstMs: 25, mostMs: 500 };

/**
 * The credential that several processes share through a store; the one place that knows the protocol, whatever the store is.
 *
 * - A flight reads first: whoever finds a sibling's newer credential needs no lock. Then it takes the lock and reads again.
 * - While a sibling holds the lock it waits, looking for what that saves; but not for good, as the sibling may be gone.
 * - Each saved text has a greater generation than the one before. The store refuses any other: who comes late changes nothing.
 * - What this process has obtained supersedes what it had read. So a store that could not save never brings back a spent
 *   refresh token, and one that fell back to an older state (a failover) is not believed.
 *
 * The store helps where it can; where it fails or is slow, that is told by `storeFailed` and the flight goes on without it.
 * Clients of a store that is down often wait rather than fail, so each operation has a time-out of its own.
 */
export class SharedCredential {
  readonly #options: SharedCredentialOptions;
  /** The generation that the store was last seen to hold. */
  #held = 0;
  /** The generation that the current credential has, or supersedes. */
  #superseded = 0;
  /** How far this machine's clock is ahead of the server's, as far as it is known. */
  #clockErrorMs = 0;

  constructor(options: SharedCredentialOptions) {
    this.#options = options;
  }

  /**
   * Waits until it is this process' turn to renew the current credential: until a sibling has saved another one, or nobody else
   * is about to.
   */
  async turn(current: Credential | undefined, signal: AbortSignal): Promise<Turn> {
    const { store, clock, timeoutMs } = this.#options;
    const { least, most } = PATIENCE;
    const until = clock.now() + timeoutMs * (least + (most - least) * clock.random());
    const owner = randomUUID();
    for (let looks = 0; ; looks++) {
      const seen = await this.#load(current, signal);
      if (seen?.adopted || !seen || !store.lock) return seen ?? {};
      const isLocked = await this.#lock(owner, signal);
      if (isLocked) {
        const unlock = this.#keepLocked(owner);
        try {
          return { ...((await this.#load(current, signal)) ?? seen), unlock };
        } catch (error) {
          await unlock();
          throw error;
        }
      }
      if (isLocked === undefined) return seen;
      if (clock.now() >= until) {
        this.#tell('lock', 'HeldByAnother');
        return seen;
      }
      await pause(clock, doubled(LOOK_PAUSE, looks) * (0.5 + 0.5 * clock.random()), signal);
    }
  }

  /** What a sibling has saved meanwhile, if it has not ended. For whoever could not renew the current credential. */
  async adoptable(current: Credential, signal: AbortSignal): Promise<Credential | undefined> {
    return (await this.#load(current, signal))?.adopted;
  }

  /**
   * Saves a credential that was just obtained, by the deadline too: who obtained it has no use for another one. If a sibling was
   * faster, that one's stays. Fails only once `isClosed`.
   */
  async save(credential: Credential, signal: AbortSignal, isClosed: () => boolean): Promise<void> {
    this.#clockErrorMs = clockErrorOf(credential);
    await this.#save(serializeCredential(credential), signal, isClosed);
  }

  /**
   * Lets no sibling adopt the current credential any more, as the server has refused it and nothing takes its place yet. Its
   * refresh token stays for whoever comes next. Changes nothing if a sibling has saved another one.
   */
  async refused(current: Credential): Promise<void> {
    const isHeld = this.#held > 0 && this.#held === this.#superseded;
    if (isHeld) await this.#save(serializeCredential(current, { hasEnded: true }), NEVER, () => false);
  }

  async #save(text: string, signal: AbortSignal, mayFail: () => boolean): Promise<void> {
    const generation = Math.max(this.#held, this.#superseded) + 1;
    const save = (store: CredentialStore, options: StoreOptions) =>
      store.save(this.#options.key, text, { ...options, generation });
    const isSaved = await this.#use('save', signal, save, { mayFail });
    if (isSaved) this.#held = generation;
    // An answer that was lost says nothing: under this generation it may be our own that is read next.
    if (isSaved !== false) this.#superseded = generation;
  }

  /** Notes that a flight has come to a credential, which takes the place of what was read. */
  landed(): void {
    this.#superseded = Math.max(this.#superseded, this.#held);
  }

  /** What the store holds, unless the current credential supersedes it or is the same. Undefined if the store failed. */
  async #load(current: Credential | undefined, signal: AbortSignal): Promise<Omit<Turn, 'unlock'> | undefined> {
    const loaded = await this.#use('load', signal, (store, options) => this.#read(store, options));
    if (!loaded) return undefined;
    const { stored } = loaded;
    if (!stored || (current && isSameCredential(stored, current))) return {};
    return hasEnded(stored) ? { ended: stored } : { adopted: stored };
  }

  /** What cannot be used counts as absent, and is told. */
  async #read(store: CredentialStore, options: StoreOptions): Promise<{ stored?: Credential | undefined }> {
    try {
      const stored = await store.load(this.#options.key, options);
      return { stored: stored && this.#usable(stored) };
    } catch (error) {
      if (!(error instanceof StoredRecordError)) throw error;
      this.#held = Math.max(this.#held, error.generation);
      this.#tell('load', error.fault);
      return {};
    }
  }

  #usable({ text, generation }: StoredCredential): Credential | undefined {
    if (!Number.isSafeInteger(generation)) throw new StoredRecordError('RecordUnreadable', 0);
    if (generation < this.#held) throw new StoredRecordError('RecordOutdated', generation);
    this.#held = generation;
    if (generation <= this.#superseded) return undefined;
    const credential = parseCredential(text, this.#clockErrorMs);
    if (!credential) throw new StoredRecordError('RecordUnreadable', generation);
    return credential;
  }

  /** Whether the lock was had; undefined if the store failed. */
  #lock(owner: string, signal: AbortSignal): Promise<boolean | undefined> {
    const leaseMs = this.#options.timeoutMs * LEASE_FLIGHTS;
    const lock = (store: CredentialStore, options: StoreOptions) =>
      store.lock?.(this.#options.key, { ...options, owner, leaseMs });
    return this.#use('lock', signal, lock, { tooLate: (isLocked) => void (isLocked && this.#unlock(owner)) });
  }

  /** Extends the lock until it is let go of. That is done in any case: nobody else will, as its holder is still there. */
  #keepLocked(owner: string): () => Promise<void> {
    const { clock, timeoutMs } = this.#options;
    const everyMs = (timeoutMs * LEASE_FLIGHTS) / EXTENSIONS_A_LEASE;
    let extended: Promise<unknown> | undefined;
    const extend = () => {
      extended = this.#lock(owner, NEVER);
      cancel = clock.schedule(everyMs, extend);
    };
    let cancel = clock.schedule(everyMs, extend);
    return async () => {
      cancel();
      await extended; // else it could come after, and lock what nobody unlocks
      await this.#unlock(owner);
    };
  }

  async #unlock(owner: string): Promise<void> {
    const unlock = (store: CredentialStore, options: StoreOptions) =>
      store.unlock?.(this.#options.key, { ...options, owner });
    await this.#use('unlock', NEVER, unlock);
  }

  /** What an operation leads to; undefined if it failed or took too long, which is told. */
  async #use<T>(
    operation: StoreOperation,
    signal: AbortSignal,
    use: (store: CredentialStore, options: StoreOptions) => Promise<T> | undefined,
    { tooLate, mayFail = () => true }: { tooLate?: (result: T | undefined) => void; mayFail?: () => boolean } = {},
  ): Promise<T | undefined> {
    const { store, clock, timeoutMs } = this.#options;
    const patience = new AbortController();
    const cancel = clock.schedule(timeoutMs * SHARE_OF_AN_OPERATION, () => patience.abort(new StoreTimeout()));
    const either = AbortSignal.any([signal, patience.signal]);
    try {
      return await untilAborted(either, async () => use(store, { signal: either }), tooLate);
    } catch (error) {
      if (signal.aborted && mayFail()) throw signal.reason;
      this.#tell(operation, reasonOf(error));
      return undefined;
    } finally {
      cancel();
    }
  }

  #tell(operation: StoreOperation, reason: string): void {
    this.#options.events.emit('storeFailed', { operation, reason });
  }
}

/** What is known of an error without its text, which could hold a secret. */
function reasonOf(error: unknown): string {
  try {
    const { code } = error as { code?: unknown };
    if (typeof code === 'string' && /^[A-Z][A-Z\d_]{1,63}$/.test(code)) return code;
  } catch {}
  return kindOf(error);
}

/** What a store's operation fails with that takes too long. */
class StoreTimeout extends Error {}
