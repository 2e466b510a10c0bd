import { afterEach } from '@jest/globals';

const pending: (() => unknown)[] = [];

afterEach(async () => {
  for (const end of pending.splice(0).reverse()) await end();
});

/** Ends something when the test is over, last begun first. */
export function whenDone(end: () => unknown): void {
  pending.push(end);
}
