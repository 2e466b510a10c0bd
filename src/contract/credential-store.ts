/**
 * Shares credentials between processes that use one account, so that a replica takes over what another has obtained
 * instead of signing in itself. What is stored is a secret: protect it like a password.
 *
 * Any method may reject, or take longer than a tenth of `timeoutMs`: the process then goes on without the store and emits
 * `storeFailed`.
 */
export interface CredentialStore {
  /** The text last saved under a key, or undefined. */
  load(key: string, options: { signal: AbortSignal }): Promise<string | undefined>;
  /** Saves a text under a key; the last one wins. */
  save(key: string, text: string, options: { signal: AbortSignal }): Promise<void>;
  /**
   * Waits until nobody else holds the key and holds it; resolves with the function that lets go of it. A lock should end
   * by itself when its holder is gone. Without it, replicas may refresh at the same time; each then recovers by itself.
   */
  lock?(key: string, options: { signal: AbortSignal }): Promise<() => Promise<void>>;
}
