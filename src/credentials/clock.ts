/** Time and chance, so that tests can set them. */
export interface Clock {
  /** Monotonic milliseconds. */
  now(): number;
  /** Calls back after some milliseconds; returns the function that prevents it. */
  schedule(ms: number, callback: () => void): () => void;
  /** A number in [0, 1). */
  random(): number;
}

/** Node takes a longer time for 1 ms. */
export const MAX_TIMER_MS = 2 ** 31 - 1;

/** The machine's own. */
export const systemClock: Clock = {
  now: () => performance.now(),
  schedule(ms, callback) {
    const timer = setTimeout(callback, Math.min(ms, MAX_TIMER_MS));
    return () => clearTimeout(timer);
  },
  random: () => Math.random(),
};

/** A duration that doubles from time to time, up to a most. */
export interface Doubling {
  readonly firstMs: number;
  readonly mostMs: number;
}

/** The duration after it has doubled so often. */
export function doubled({ firstMs, mostMs }: Doubling, times: number): number {
  return Math.min(firstMs * 2 ** times, mostMs);
}

/** After a refusal, and after a refresh that proved useless: long enough that nobody locks an account. */
export const COOL_DOWN: Doubling = { firstMs: 30_000, mostMs: 300_000 };
