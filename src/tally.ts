import type { AuthErrorCode } from './contract/auth-error';
import type { AuthEvents, Told } from './events';
import type { ApiAuthCode } from './qelos/refusal';

/** How often things have happened since the start. */
export interface AuthCounters {
  /** Credentials obtained by signing in. */
  readonly signIns: number;
  /** Credentials obtained by refreshing, or taken over from another process. */
  readonly refreshes: number;
  /** Sign-ins and refreshes that failed. */
  readonly failures: number;
  /** Requests that were sent once more with another credential. */
  readonly retries: number;
}

/** Counts events, and keeps the last failure. There may be one for each of 100,000 tenants. */
export class Tally implements AuthCounters {
  signIns = 0;
  refreshes = 0;
  failures = 0;
  retries = 0;
  last: { readonly code: AuthErrorCode | ApiAuthCode; readonly at: Date } | undefined;

  count<E extends keyof AuthEvents>(event: E, made: Told<E> | (() => Told<E>)): void {
    if (event === 'signedIn') this.signIns++;
    else if (event === 'refreshed') this.refreshes++;
    else if (event === 'requestRetried') this.retries++;
    else if (FAILURES.has(event)) {
      const detail: object = typeof made === 'function' ? made() : made;
      if ('code' in detail) this.failures++;
      const { code, authCode } = detail as { code?: AuthErrorCode; authCode: ApiAuthCode };
      this.last = { code: code ?? authCode, at: new Date() };
    }
  }
}

const FAILURES: ReadonlySet<keyof AuthEvents> = new Set(['signInFailed', 'refreshFailed', 'requestRefused']);
