import type { Clock } from './clock';

/**
 * Settles with what `start` leads to, or rejects with the signal's reason as soon as it aborts.
 *
 * @param tooLate - gets what `start` leads to after that
 */
export function untilAborted<T>(
  signal: AbortSignal,
  start: () => Promise<T>,
  tooLate: (result: T) => void = () => {},
): Promise<T> {
  return new Promise((resolve, reject) => {
    let settle = resolve as (result: T) => void;
    const onAbort = () => {
      settle = tooLate;
      reject(signal.reason);
    };
    if (signal.aborted) return onAbort();
    signal.addEventListener('abort', onAbort, { once: true });
    start()
      .then((result) => settle(result), reject)
      .finally(() => signal.removeEventListener('abort', onAbort)); // a flight of many tries would pile them up
  });
}

/** Resolves after some milliseconds, or rejects with the signal's reason as soon as it aborts. */
export function pause(clock: Clock, ms: number, signal: AbortSignal): Promise<void> {
  let cancel = () => {};
  const passed = () => new Promise<void>((resolve) => (cancel = clock.schedule(ms, resolve)));
  return untilAborted(signal, passed).finally(() => cancel());
}
