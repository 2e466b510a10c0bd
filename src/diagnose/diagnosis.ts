/** What was looked at. A later version may add one; none of these changes its meaning. */
export type CheckId =
  /** Whether the settings can be used. From the command line alone: a `QelosAuth` has settings that can. */
  | 'configuration'
  /** Whether a setting looks misspelt. From the command line alone. */
  | 'spelling'
  /** Whether what is sent can be read on the way. */
  | 'url'
  /** Whether the host has an address. */
  | 'dns'
  /** Whether the certificate is accepted, and for how many days more. */
  | 'tls'
  /** What answers a call without a credential, and how fast. */
  | 'server'
  /** How far this machine's clock is from the server's. */
  | 'clock'
  /** Whether a credential can be had, by the strategy that was chosen. */
  | 'sign-in'
  /** Whose credential it is: user, roles, tenant. */
  | 'identity'
  /** The workspace the credential is bound to. */
  | 'workspace'
  /** End and last use of the API token. From the command line alone. */
  | 'token'
  /** A call of the caller's choice. */
  | 'probe';

/**
 * - `ok`: as it should be.
 * - `warning`: works, and will not for ever, or not always.
 * - `failed`: calls fail because of it.
 * - `skipped`: not looked at; `seen` says why.
 */
export type CheckOutcome = 'ok' | 'warning' | 'failed' | 'skipped';

/** One thing that was looked at, in words for the person on call. Holds no secret. */
export interface Check {
  readonly id: CheckId;
  readonly outcome: CheckOutcome;
  /** What was seen: a status, a code, a message of the server. */
  readonly seen: string;
  /** What it can mean. Always there for `failed`. */
  readonly meaning?: string;
  /** What to do next, best a command. Always there for `failed`. */
  readonly next?: string;
}

/** What {@link diagnose} found. Plain data: `JSON.stringify` shows all of it, and no secret. */
export interface Diagnosis {
  /** `failed` if a check failed, else `warning` if one warns, else `ok`. */
  readonly outcome: 'ok' | 'warning' | 'failed';
  /** Base URL of the instance. */
  readonly url: string;
  /** Name of the strategy; absent where there is no account to look at. */
  readonly strategy?: string;
  /** When the last check ended, as `Date.toISOString` gives it. */
  readonly checkedAt: string;
  /** In the order they were made. */
  readonly checks: readonly Check[];
}

/** Puts the checks together. */
export function diagnosisOf(url: string, strategy: string | undefined, checks: readonly Check[]): Diagnosis {
  const has = (outcome: CheckOutcome) => checks.some((check) => check.outcome === outcome);
  return {
    outcome: has('failed') ? 'failed' : has('warning') ? 'warning' : 'ok',
    url,
    ...(strategy !== undefined && { strategy }),
    checkedAt: new Date().toISOString(),
    checks,
  };
}

export const ok = (id: CheckId, seen: string): Check => ({ id, outcome: 'ok', seen });
export const skipped = (id: CheckId, seen: string): Check => ({ id, outcome: 'skipped', seen });
export const warning = (id: CheckId, seen: string, meaning: string, next: string): Check => ({
  id,
  outcome: 'warning',
  seen,
  meaning,
  next,
});
export const failed = (id: CheckId, seen: string, meaning: string, next: string): Check => ({
  id,
  outcome: 'failed',
  seen,
  meaning,
  next,
});
