import { UsageError } from './failures';

/** Options that somebody who wants to pass a secret would try. */
const NAMES =
  /^--?(?:pass(?:word|wd)?|pwd|token|(?:api|access|refresh|auth)-?(?:token|key)|secret|bearer|authorization)(?:=|$)/i;

/** An API token, or more of one than the prefix that it is known by. */
const API_TOKEN = /ql_[0-9a-z]{6,}/i;

const USER_INFO = /^[a-z]+:\/\/[^/]*:[^/]*@/i;

/**
 * Refuses secrets among the arguments: every user of the machine sees them in the list of processes, and the shell writes
 * them to its history.
 *
 * @throws UsageError that does not repeat the argument
 */
export function refuseSecrets(args: readonly string[]): void {
  const found = args.some((arg) => NAMES.test(arg) || API_TOKEN.test(arg) || USER_INFO.test(arg));
  if (!found) return;
  throw new UsageError(
    'Secrets are not taken as arguments: every user of this machine sees those in the list of processes, and the shell keeps them in its history.',
    'Set QELOS_USERNAME and QELOS_PASSWORD, or QELOS_API_TOKEN, in the environment or in .env; or leave the password out and type it when asked. If what you typed was a real secret, replace it: "npx qelos-auth tokens revoke".',
  );
}
