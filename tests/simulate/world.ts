/** Simulated time and seeded chance: whatever was put off happens in its order, and hours pass in seconds. */
export class World {
  /** Milliseconds since the beginning. */
  now = 0;
  readonly #due: Due[] = [];
  #count = 0;
  #seed: number;

  constructor(seed: number) {
    this.#seed = seed;
  }

  /**
   * Calls back in a while.
   *
   * @param callback - returns `'settled'` if it has left no promise to wait for; there would be one for each of millions of calls
   * @returns the function that prevents it
   */
  schedule(ms: number, callback: () => unknown): () => void {
    const due: Due = { at: this.now + Math.max(0, ms), order: this.#count++, callback };
    this.#push(due);
    return () => {
      due.callback = undefined;
    };
  }

  pause(ms: number): Promise<void> {
    return new Promise((resolve) => void this.schedule(ms, resolve));
  }

  /** mulberry32: small, seeded, good enough to spread calls. */
  random(): number {
    this.#seed = (this.#seed + 0x6d2b79f5) | 0;
    let t = Math.imul(this.#seed ^ (this.#seed >>> 15), 1 | this.#seed);
    t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t;
    return ((t ^ (t >>> 14)) >>> 0) / 4_294_967_296;
  }

  /** A number between two, any as likely as any other. */
  between(least: number, most: number): number {
    return least + (most - least) * this.random();
  }

  /** Lets time pass, up to a moment. What promises lead to is done before time goes on. */
  async run(until: number): Promise<void> {
    for (let due = this.#due[0]; due && due.at <= until; due = this.#due[0]) {
      this.#pop();
      if (!due.callback) continue;
      this.now = due.at;
      if (due.callback() !== 'settled') await new Promise(setImmediate);
    }
    this.now = until;
  }

  #push(due: Due): void {
    const heap = this.#due;
    let at = heap.length;
    heap.push(due);
    while (at > 0) {
      const parent = (at - 1) >> 1;
      if (!isBefore(due, heap[parent] as Due)) break;
      heap[at] = heap[parent] as Due;
      at = parent;
    }
    heap[at] = due;
  }

  #pop(): void {
    const heap = this.#due;
    const last = heap.pop() as Due;
    if (heap.length === 0) return;
    let at = 0;
    for (;;) {
      let child = 2 * at + 1;
      if (child >= heap.length) break;
      if (child + 1 < heap.length && isBefore(heap[child + 1] as Due, heap[child] as Due)) child++;
      if (!isBefore(heap[child] as Due, last)) break;
      heap[at] = heap[child] as Due;
      at = child;
    }
    heap[at] = last;
  }
}

interface Due {
  readonly at: number;
  /** Of two at the same moment, the one that was put off first happens first. */
  readonly order: number;
  callback: (() => unknown) | undefined;
}

function isBefore(a: Due, b: Due): boolean {
  return a.at < b.at || (a.at === b.at && a.order < b.order);
}
