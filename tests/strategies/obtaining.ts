import type { AuthContext, AuthStrategy } from '../../src/contract/auth-strategy';
import { CredentialManager } from '../../src/credentials/credential-manager';
import { EventHub } from '../../src/events';
import { strategyContext } from '../../src/strategies/strategy-context';
import { SetClock } from '../credentials/set-clock';

/** What a strategy gets from the library. */
export function contextFor(url: string, signal: AbortSignal = new AbortController().signal): AuthContext {
  return strategyContext(signal, { url, strategy: 'tested', connection: {}, events: new EventHub('test') });
}

/** A manager over a strategy, with a clock that only the test moves. */
export function managerOf(strategy: AuthStrategy, url: string): { manager: CredentialManager; clock: SetClock } {
  const clock = new SetClock();
  const manager = new CredentialManager({
    strategy,
    context: (signal) => contextFor(url, signal),
    events: new EventHub('test'),
    timeoutMs: 20_000,
    clock,
  });
  return { manager, clock };
}

/** Lets an attempt come to its end, whatever moments it waits between its tries. */
export async function throughPauses<T>(attempt: T | Promise<T>, clock: SetClock): Promise<T> {
  let isOver = false;
  const over = () => {
    isOver = true;
  };
  const outcome = Promise.resolve(attempt);
  outcome.then(over, over);
  while (!isOver) {
    // The deadline alone waits while an answer is awaited; with a pause there are two.
    if (clock.waiting > 1) await clock.advance(100);
    else await new Promise(setImmediate);
  }
  return outcome;
}

/** What an attempt ends with that must fail. */
export async function failureOf(attempt: unknown): Promise<Error> {
  try {
    await attempt;
  } catch (error) {
    if (error instanceof Error) return error;
  }
  throw new Error('did not fail with an error');
}
