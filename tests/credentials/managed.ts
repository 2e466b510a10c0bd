import { AuthError } from '../../src/contract/auth-error';
import type { Credential } from '../../src/contract/credential';
import { CredentialManager, type CredentialManagerOptions } from '../../src/credentials/credential-manager';
import { type AuthEvents, EventHub } from '../../src/events';
import { contextFor } from '../strategies/obtaining';
import { Scripted, session } from './scripted';
import { SetClock } from './set-clock';

/** What an event says besides whose it is and how long it took. */
export function ownDetail(detail: object): object {
  const { instance: _instance, durationMs: _durationMs, ...own } = detail as { instance: string; durationMs?: number };
  return own;
}

/** A manager over a strategy and a clock that the test leads. */
export class Managed {
  readonly clock = new SetClock();
  readonly strategy = new Scripted();
  readonly events = new EventHub('test');
  readonly told: [keyof AuthEvents, unknown][] = [];
  readonly manager: CredentialManager;

  constructor(options: Partial<CredentialManagerOptions> = {}) {
    this.clock.chance = 0;
    for (const event of ['signedIn', 'refreshed', 'refreshFailed', 'storeFailed'] as const) {
      this.events.on(event, (detail) => this.told.push([event, ownDetail(detail)]));
    }
    this.manager = new CredentialManager({
      strategy: this.strategy,
      events: this.events,
      context: (signal) => contextFor('http://127.0.0.1:1', signal),
      timeoutMs: 20_000,
      clock: this.clock,
      ...options,
    });
  }

  /** Obtains a first credential, and forgets that it was asked for. */
  async signIn(first = session()): Promise<Credential> {
    this.strategy.signInSteps.unshift(() => first);
    await this.manager.get();
    this.strategy.asked.length = 0;
    this.told.length = 0;
    return first;
  }

  /** The code that a call ends with. */
  async codeOf(got: Credential | Promise<Credential>): Promise<string> {
    try {
      await got;
      return 'resolved';
    } catch (error) {
      return error instanceof AuthError ? error.code : `no AuthError: ${String(error)}`;
    }
  }

  /** What a call fails with. */
  async failureOf(got: Credential | Promise<Credential>): Promise<AuthError> {
    try {
      await got;
    } catch (error) {
      return error as AuthError;
    }
    throw new Error('did not fail');
  }
}
