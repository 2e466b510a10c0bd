import { AsyncLocalStorage, AsyncResource } from 'node:async_hooks';

/** Made when this module is loaded, in nobody's request. */
const apart = new AsyncResource('qelos-auth');

/** Whose flight this is running in; only while there is one, as every async context costs all promises of the process. */
const owners = new AsyncLocalStorage<object>();
let running = 0;

/**
 * Runs a flight in an async context of its own. It serves all callers: what it does, and the events it emits, must not count
 * as part of the trace or transaction of whichever call began it.
 */
export async function runApart<T>(owner: object, run: () => Promise<T>): Promise<T> {
  running += 1;
  try {
    return await apart.runInAsyncScope(() => owners.run(owner, run));
  } finally {
    running -= 1;
    if (running === 0) owners.disable();
  }
}

/** Whether the caller is part of a flight of this owner, so that it would wait for itself. */
export function isWithin(owner: object): boolean {
  return running > 0 && owners.getStore() === owner;
}
