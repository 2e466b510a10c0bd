import { AuthError } from '../../src/contract/auth-error';
import type { AuthContext, AuthStrategy } from '../../src/contract/auth-strategy';
import { Credential } from '../../src/contract/credential';
import { webTokenFor } from './json-web-token';

/** The life of what `session()` makes, in milliseconds, and its windows as the header comment gives them. */
export const LIFE = 1_000_000;
export const SOFT_FROM = LIFE - 200_000;
export const HARD_FROM = LIFE - 10_000;
/** With `clock.chance = 0`, the soft window begins as early as it can. */
export const session = (seconds = LIFE / 1000 + 1) =>
  Credential.bearer(webTokenFor(seconds), { refreshToken: webTokenFor(100_000) });

export const refused = () => new AuthError('ERR_AUTH_REFUSED', 'no', { hint: '', httpStatus: 401 });
export const spurious = () => new AuthError('ERR_AUTH_REFUSED', 'no', { hint: '', httpStatus: 401, retryable: true });
export const conflict = () =>
  new AuthError('ERR_AUTH_UNAVAILABLE', 'conflict', { hint: '', httpStatus: 401, retryable: true });
/** One that the flight does not try again by itself. */
export const outage = (retryAfterMs?: number) =>
  new AuthError('ERR_AUTH_UNAVAILABLE', 'down', { hint: '', httpStatus: 429, retryable: true, retryAfterMs });
/** One that may pass. */
export const hiccup = (retryAfterMs?: number, status = 503) =>
  new AuthError('ERR_AUTH_UNAVAILABLE', 'down', { hint: '', httpStatus: status, retryable: true, retryAfterMs });

export type Step = () => Credential | Promise<Credential>;

/** A strategy whose answers the test gives, one by one. It remembers what it was asked. */
export class Scripted implements AuthStrategy {
  readonly name = 'scripted';
  readonly asked: string[] = [];
  readonly contexts: AuthContext[] = [];
  readonly signInSteps: Step[] = [];
  readonly refreshSteps: Step[] = [];
  readonly sentRefreshTokens: (string | undefined)[] = [];
  /** What each sign-in was told that it takes the place of. */
  readonly formers: (Credential | undefined)[] = [];

  missing(): readonly string[] {
    return [];
  }

  async signIn(context: AuthContext, former?: Credential): Promise<Credential> {
    this.asked.push('sign-in');
    this.formers.push(former);
    this.contexts.push(context);
    return (this.signInSteps.shift() ?? session)();
  }

  async refresh(current: Credential, context: AuthContext): Promise<Credential> {
    this.asked.push('refresh');
    this.contexts.push(context);
    this.sentRefreshTokens.push(current.refreshToken);
    return (this.refreshSteps.shift() ?? session)();
  }

  count(operation: 'sign-in' | 'refresh'): number {
    return this.asked.filter((asked) => asked === operation).length;
  }
}

export const fails = (error: unknown): Step => {
  return () => {
    throw error;
  };
};
export const never: Step = () => new Promise(() => {});
