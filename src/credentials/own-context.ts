import { AsyncLocalStorage, AsyncResource } from 'node:async_hooks';

/** The async context in which this module was loaded: that of no call. */
const outside = new AsyncResource('qelos-auth');

/**
 * Runs something in no caller's async context. What many callers share must not run in the span or the transaction of the one
 * that happened to come first.
 */
export function inOwnContext<T>(run: () => T): T {
  return outside.runInAsyncScope(run);
}

const obtaining = new AsyncLocalStorage<object>();
let underWay = 0;

/** Runs a strategy's code so that `isObtainingFor` knows what is called from within it. */
export async function obtainingFor<T>(owner: object, run: () => Promise<T>): Promise<T> {
  underWay++;
  try {
    return await obtaining.run(owner, run);
  } finally {
    // Up to Node 22 every promise of the process costs more while a storage is in use.
    if (--underWay === 0) obtaining.disable();
  }
}

/** Whether the caller is code of a strategy that is just obtaining a credential for this owner: it would wait for itself. */
export function isObtainingFor(owner: object): boolean {
  return obtaining.getStore() === owner;
}
