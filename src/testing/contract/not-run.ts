/** Thrown by a case that finds nothing to judge: there is no such method, or nobody is asked. */
export class NotRun extends Error {}

/** What a runner may give a test to skip itself with: an argument (node:test, vitest) or `this` (mocha). */
interface Skippable {
  skip?(reason: string): unknown;
}

/**
 * Has the runner report the test under way as skipped. Where the runner has no way to say so, the test counts as passed.
 *
 * @param title - of the test under way
 * @param given - `this` and the argument that the runner called the test with
 */
export function skip(title: string, reason: string, given: readonly unknown[]): void {
  const able = given.find((one): one is Required<Skippable> => typeof (one as Skippable | null)?.skip === 'function');
  if (able) able.skip(reason);
  else skipUnderJest(title);
}

/**
 * jest has `it.skip`, which must be called before a test runs, and nothing for a test under way. Its runner, jest-circus,
 * reports what it finds in the test's `status`, and keeps the test in a global of this description.
 */
function skipUnderJest(title: string): void {
  const key = Object.getOwnPropertySymbols(globalThis).find(({ description }) => description === 'JEST_STATE_SYMBOL');
  const state = key && (globalThis as Record<symbol, unknown>)[key];
  const test = (state as { currentlyRunningTest?: { name?: unknown } } | undefined)?.currentlyRunningTest;
  if (test?.name !== title) return;
  Object.defineProperty(test, 'status', { get: () => 'skip', set: () => {}, enumerable: true });
}
