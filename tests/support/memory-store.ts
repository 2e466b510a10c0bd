import type {
  CredentialStore,
  LockOptions,
  SaveOptions,
  StoredCredential,
  UnlockOptions,
} from '../../src/contract/credential-store';

/** A store in memory, for the processes that a test plays. `changes` replaces parts of it. */
export class MemoryStore implements CredentialStore {
  readonly records = new Map<string, StoredCredential>();
  readonly locks = new Map<string, { readonly owner: string; readonly leaseMs: number }>();
  /** All texts that were ever to be saved. */
  readonly texts: string[] = [];

  constructor(changes: Partial<CredentialStore> = {}) {
    Object.assign(this, changes);
  }

  /** What a sibling saves, under whatever key has been used or is given. */
  put(text: string, key = [...this.records.keys()][0] ?? ''): void {
    this.records.set(key, { text, generation: (this.records.get(key)?.generation ?? 0) + 1 });
  }

  async load(key: string): Promise<StoredCredential | undefined> {
    return this.records.get(key);
  }

  async save(key: string, text: string, { generation }: SaveOptions): Promise<boolean> {
    this.texts.push(text);
    if (generation <= (this.records.get(key)?.generation ?? 0)) return false;
    this.records.set(key, { text, generation });
    return true;
  }

  async lock(key: string, { owner, leaseMs }: LockOptions): Promise<boolean> {
    if ((this.locks.get(key)?.owner ?? owner) !== owner) return false;
    this.locks.set(key, { owner, leaseMs });
    return true;
  }

  async unlock(key: string, { owner }: UnlockOptions): Promise<void> {
    if (this.locks.get(key)?.owner === owner) this.locks.delete(key);
  }
}
