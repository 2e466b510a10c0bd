import { performance } from 'node:perf_hooks';

const monotonic = performance.now.bind(performance);
const origin = performance.timeOrigin;

/**
 * Milliseconds since the epoch, on the server's own clock.
 *
 * A real Qelos runs on another machine, so a test that sets the clock of its own process (fake timers, a mocked
 * `Date.now`, a stubbed `performance.now`) must not move the server's. Hence bound when the module loads.
 */
export const serverNow = (): number => origin + monotonic();

/** The same in whole seconds, cut off: what `iat` and `exp` of a Qelos token are counted in. */
export const serverSeconds = (): number => Math.floor(serverNow() / 1000);
