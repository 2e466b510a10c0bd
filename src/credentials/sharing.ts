import { createHash } from 'node:crypto';
import type { StrategyObject } from '../contract/auth-strategy';
import { nameOf } from './obtain-errors';

/** Those that have been told that their credentials are not shared, by name. */
const told = new Set<string>();

/**
 * Under which key the credentials of a strategy are shared through a store: one for one account of one instance, without the
 * account's name in it. Undefined if they must not be shared: one that is configured must not lose to a stored one, and of a
 * strategy that does not say whom it signs in as, two accounts would silently become one.
 *
 * @param url - base URL of the instance: there may be several behind one origin
 */
export function shareKey(url: string, strategy: StrategyObject): string | undefined {
  if (strategy.isConfigured) return undefined;
  const name = nameOf(strategy);
  const account = accountOf(strategy);
  if (account === undefined) {
    tellNotShared(name);
    return undefined;
  }
  const digest = createHash('sha256')
    .update(JSON.stringify([url, name, account]))
    .digest('hex');
  return `qelos-auth:${name}:${digest.slice(0, 32)}`;
}

/** Nobody knows it either if that throws, or is no text. */
function accountOf(strategy: StrategyObject): string | undefined {
  try {
    const account: unknown = strategy.account?.();
    return typeof account === 'string' ? account : undefined;
  } catch {
    return undefined;
  }
}

function tellNotShared(strategy: string): void {
  if (told.has(strategy)) return;
  told.add(strategy);
  process.emitWarning(
    `The credentials of the strategy "${strategy}" are not shared through the credential store, as it does not say whom it signs in as. Give it a method account() that returns a text.`,
    { type: 'QelosAuthWarning', code: 'QELOS_AUTH_NOT_SHARED' },
  );
}
