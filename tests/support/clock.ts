import { jest } from '@jest/globals';
import { systemClock } from '../../src/credentials/clock';

/** Moves the monotonic clock of this process, as the library sees it. Undone after the test. */
export function settableClock(): { advance(ms: number): void } {
  const now = performance.now.bind(performance);
  let offset = 0;
  jest.spyOn(performance, 'now').mockImplementation(() => now() + offset);
  return {
    advance(ms) {
      offset += ms;
    },
  };
}

/** Lets time run so many times as fast for credentials and flights. Undone after the test. */
export function speedUp(times: number): void {
  const { now, schedule } = systemClock;
  const begun = now();
  jest.spyOn(systemClock, 'now').mockImplementation(() => begun + (now() - begun) * times);
  jest.spyOn(systemClock, 'schedule').mockImplementation((ms, callback) => schedule(ms / times, callback));
}
