/** What a store holds under a key. */
export interface StoredCredential {
  /** What was saved, to the letter. */
  readonly text: string;
  /** The number it was saved with. */
  readonly generation: number;
}

/** The end of the library's patience: pass it on to whatever you wait for. */
export interface StoreOptions {
  readonly signal: AbortSignal;
}

/** With what a text is saved. */
export interface SaveOptions extends StoreOptions {
  /** A whole number, greater than that of what the text takes the place of. */
  readonly generation: number;
}

/** Whose lock it is. */
export interface UnlockOptions extends StoreOptions {
  /** A random text of its own for each flight. */
  readonly owner: string;
}

/** Who locks, and for how long. */
export interface LockOptions extends UnlockOptions {
  /** Milliseconds after which the lock ends by itself, as its holder is gone or stands still. */
  readonly leaseMs: number;
}

/**
 * Shares credentials between processes that use one account, so that a replica takes over what another has obtained
 * instead of signing in itself. A store only keeps texts and locks; who waits, retries, adopts and gives way is decided by the
 * library, alike for every store. `describeCredentialStore` of `qelos-auth/testing` tests what stands here.
 *
 * What is stored is a secret: wrap the store with `encryptedStore`, or protect it like a password.
 *
 * Any method may reject, or take longer than a tenth of `timeoutMs`: the process then goes on without the store and emits
 * `storeFailed`.
 */
export interface CredentialStore {
  /** What was last saved under a key, or undefined. Never older than a save that has resolved. */
  load(key: string, options: StoreOptions): Promise<StoredCredential | undefined>;
  /**
   * Saves a text under a key if its generation is greater than that of what is held, in one atomic step: of two processes that
   * save the same generation one succeeds, and one that was paused and comes late changes nothing.
   *
   * @returns whether it was saved
   */
  save(key: string, text: string, options: SaveOptions): Promise<boolean>;
  /**
   * Takes the lock of a key without waiting, if nobody else holds it; for who holds it already, the lease begins anew. One
   * atomic step. Without `lock` and `unlock`, replicas may refresh at the same time; each then recovers by itself.
   *
   * @returns whether the owner holds it now
   */
  lock?(key: string, options: LockOptions): Promise<boolean>;
  /** Lets go of the lock of a key if this owner holds it, in one atomic step: the lock of another one stays. */
  unlock?(key: string, options: UnlockOptions): Promise<void>;
}
