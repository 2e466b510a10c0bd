/** What a pool keeps. */
export interface Pooled<T> {
  readonly id: string;
  /** Its neighbours in the order of use. The pool's own, and empty as long as it does not have to make room. */
  older: T | undefined;
  newer: T | undefined;
}

/**
 * Keeps a limited number of entries by name: the one used longest ago makes room. Every operation takes the same few steps,
 * however many entries there are; a Map alone, which keeps the order of use too, is slow to give its oldest entry again and again.
 *
 * There are never two entries of one name: one that had to make room and is still in use elsewhere is found again, and a
 * pinned one stays whatever comes.
 */
export class TenantPool<T extends Pooled<T>> {
  readonly #max: number;
  readonly #kept = new Map<string, T>();
  /** Kept beyond the limit for as long as this lasts, and out of the order of use. */
  readonly #pinned = new Set<T>();
  #oldest: T | undefined;
  #newest: T | undefined;
  /** Those that had to make room and may still be in use. */
  readonly #evicted = new Map<string, WeakRef<T>>();
  readonly #collected = new FinalizationRegistry<string>((id) => {
    if (this.#evicted.get(id)?.deref() === undefined) this.#evicted.delete(id);
  });

  /** @param max - how many to keep; pinned ones may be more */
  constructor(max: number) {
    this.#max = max;
  }

  get size(): number {
    return this.#kept.size;
  }

  /** The entry of a name, also one that had to make room and is still in use. */
  find(id: string): T | undefined {
    return this.#kept.get(id) ?? this.#evicted.get(id)?.deref();
  }

  /** Takes in an entry whose name has none. */
  add(entry: T): void {
    this.#kept.set(entry.id, entry);
    this.#append(entry);
    this.#trim();
  }

  /** Tells that an entry is used, so that others make room before it. One that was removed stays so. */
  use(entry: T): void {
    if (entry === this.#newest) return;
    if (this.#kept.get(entry.id) === entry) {
      if (this.#pinned.has(entry)) return;
      this.#unlink(entry);
      this.#append(entry);
    } else if (this.#evicted.get(entry.id)?.deref() === entry) {
      this.#forgetEvicted(entry);
      this.add(entry);
    }
  }

  /** Lets an entry stay until `unpin`. */
  pin(entry: T): void {
    this.#pinned.add(entry);
    this.#unlink(entry);
  }

  /** Ends `pin`. It counts as a use: those who waited for the entry go on with it now. */
  unpin(entry: T): void {
    this.#pinned.delete(entry);
    if (this.#kept.get(entry.id) !== entry) return;
    this.#append(entry);
    this.#trim();
  }

  remove(entry: T): void {
    this.#pinned.delete(entry);
    this.#unlink(entry);
    if (this.#kept.get(entry.id) === entry) this.#kept.delete(entry.id);
    if (this.#evicted.get(entry.id)?.deref() === entry) this.#forgetEvicted(entry);
  }

  /** All entries, those that had to make room and are still in use included. */
  all(): T[] {
    const evicted = [...this.#evicted.values()].map((reference) => reference.deref());
    return [...this.#kept.values(), ...evicted.filter((entry) => entry !== undefined)];
  }

  #trim(): void {
    while (this.#kept.size > this.#max && this.#oldest !== this.#newest) this.#evict(this.#oldest as T);
  }

  #evict(entry: T): void {
    this.#unlink(entry);
    this.#kept.delete(entry.id);
    this.#evicted.set(entry.id, new WeakRef(entry));
    this.#collected.register(entry, entry.id, entry);
  }

  #forgetEvicted(entry: T): void {
    this.#evicted.delete(entry.id);
    this.#collected.unregister(entry);
  }

  #append(entry: T): void {
    entry.older = this.#newest;
    if (this.#newest) this.#newest.newer = entry;
    else this.#oldest = entry;
    this.#newest = entry;
  }

  #unlink(entry: T): void {
    const { older, newer } = entry;
    if (older) older.newer = newer;
    else if (entry === this.#oldest) this.#oldest = newer;
    if (newer) newer.older = older;
    else if (entry === this.#newest) this.#newest = older;
    entry.older = undefined;
    entry.newer = undefined;
  }
}
