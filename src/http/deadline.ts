/**
 * Gives up on something after a while.
 *
 * @param ms - milliseconds; 0: never
 * @param work - gets a signal that ends with the caller's own, or when it has taken too long
 * @param signal - the caller's own
 * @throws what `tookTooLong` makes; whatever `work` rejects with
 */
export function within<T>(
  ms: number,
  work: (signal: AbortSignal | undefined) => Promise<T>,
  tookTooLong: (ms: number) => Error,
  signal?: AbortSignal | null,
): Promise<T> {
  if (ms === 0) return work(signal ?? undefined);
  const end = new AbortController();
  let timer: NodeJS.Timeout | undefined;
  const deadline = new Promise<never>((_, reject) => {
    timer = setTimeout(() => {
      reject(tookTooLong(ms)); // first of all: what the signal makes of it comes second
      end.abort();
    }, ms);
  });
  const done = work(signal ? AbortSignal.any([signal, end.signal]) : end.signal);
  return Promise.race([done, deadline]).finally(() => clearTimeout(timer));
}
