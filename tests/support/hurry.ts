import { jest } from '@jest/globals';
import { systemClock } from '../../src/credentials/clock';

/** Deadlines are longer than this, pauses between tries shorter. */
const LONGEST_PAUSE_MS = 10_000;

/**
 * Makes a hundredth of the pauses between the tries of a flight, which would be seconds; deadlines stay as they are. For
 * instances with the default `timeoutMs`. Undone after the test.
 */
export function hurry(): void {
  const { schedule } = systemClock;
  jest
    .spyOn(systemClock, 'schedule')
    .mockImplementation((ms, callback) => schedule(ms < LONGEST_PAUSE_MS ? ms / 100 : ms, callback));
}
