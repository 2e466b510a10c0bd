import { AuthError } from '../contract/auth-error';
import type { CredentialStore } from '../contract/credential-store';
import { given } from '../own-properties';

/** A store that was made for one instance, which closes it. */
export interface OwnStore {
  readonly store: CredentialStore;
  close(): Promise<void>;
}

/**
 * The store that the environment names: `QELOS_AUTH_REDIS_URL`, or the `REDIS_URL` that is there anyway if `QELOS_AUTH_SHARED` is 1.
 * `QELOS_AUTH_STORE_KEY` is its key, or several with commas between them, of which the first encrypts.
 *
 * @returns undefined if it names none
 * @throws AuthError `ERR_AUTH_CONFIG` if a setting is wrong or missing, or no client of Redis is installed
 */
export function storeFromEnv(env: Readonly<Record<string, string | undefined>>): OwnStore | undefined {
  const read = (name: string) => given(env, name)?.trim() || undefined;
  const shared = read('QELOS_AUTH_SHARED');
  if (shared !== undefined && shared !== '1' && shared !== '0') {
    throw wrong(
      'QELOS_AUTH_SHARED is neither 1 nor 0.',
      'Set it to 1 to share the session through REDIS_URL, or remove it.',
    );
  }
  const own = read('QELOS_AUTH_REDIS_URL');
  if (own === undefined && shared !== '1') return undefined;
  const url = own ?? read('REDIS_URL');
  if (url === undefined) {
    throw wrong(
      'QELOS_AUTH_SHARED is 1, and neither QELOS_AUTH_REDIS_URL nor REDIS_URL is set.',
      'Set one of them to the URL of your Redis, or remove QELOS_AUTH_SHARED.',
    );
  }
  const keys = (read('QELOS_AUTH_STORE_KEY') ?? '').split(',');
  // By its name, so that whoever shares nothing loads nothing of it.
  const redis: typeof import('qelos-auth/redis') = require('qelos-auth/redis');
  return redis.connectCredentialStore(url, keys);
}

function wrong(text: string, hint: string): AuthError {
  return new AuthError('ERR_AUTH_CONFIG', text, { hint });
}
