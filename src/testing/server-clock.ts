import { performance } from 'node:perf_hooks';
import * as timers from 'node:timers';

/**
 * The timers of the server, taken when the module loads.
 *
 * `mock.timers` of node:test and the fake timers of vitest replace those of the module `node:timers` too, so an import
 * that is looked up at each call would leave the server standing still as soon as a test sets its own clock.
 */
export const { clearInterval, clearTimeout, setImmediate, setInterval, setTimeout } = timers;

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
