import { jest } from '@jest/globals';

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
