import { createHash } from 'node:crypto';

/** A map that keeps what was set last, and lets go of the oldest entries beyond `most`. Keys are those of {@link keyOf}. */
export class RecentMap<V> {
  readonly #entries = new Map<string, V>();

  constructor(readonly most: number) {}

  get(key: string): V | undefined {
    return this.#entries.get(key);
  }

  set(key: string, value: V): V {
    this.#entries.delete(key); // so that it counts as the newest
    this.#entries.set(key, value);
    const [oldest] = this.#entries.keys();
    if (this.#entries.size > this.most) this.#entries.delete(oldest as string);
    return value;
  }

  delete(key: string): void {
    this.#entries.delete(key);
  }
}

/** A key from which nobody can read the secrets it is made of. */
export function keyOf(...parts: unknown[]): string {
  return createHash('sha256').update(JSON.stringify(parts)).digest('base64');
}
