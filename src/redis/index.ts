import type { CredentialStore } from '../contract/credential-store';
import { type EncryptionKey, encryptedStore } from '../stores/encrypted-store';
import { type RedisClient, scriptsOf } from './redis-client';
import { RedisConnection } from './redis-connection';
import { RedisStore } from './redis-store';

export type { EncryptionKey } from '../stores/encrypted-store';
export type { IoredisClient, NodeRedisClient, RedisClient } from './redis-client';

/** What {@link redisCredentialStore} is told. */
export interface RedisCredentialStoreOptions {
  /** A client of `ioredis` or `redis` (node-redis), connected; for a cluster or with Sentinel too. It stays yours to close. */
  client: RedisClient;
  /** 32 random bytes as 64 hexadecimal digits or as base64, the same in all processes: `openssl rand -base64 32`. */
  encryptionKey: EncryptionKey;
  /** Put before each key in Redis. Default: nothing; all keys begin with `qelos-auth:`. */
  prefix?: string | undefined;
}

/**
 * Shares sessions through Redis: replicas that have the same Redis, key and account use one session. What is in Redis is
 * encrypted (AES-256-GCM); it goes 30 days after it was last renewed.
 *
 * ```ts
 * const store = redisCredentialStore({ client: new Redis(process.env.REDIS_URL), encryptionKey: process.env.QELOS_AUTH_STORE_KEY });
 * registerQelosAuth(container, { store });
 * ```
 *
 * @throws AuthError `ERR_AUTH_CONFIG` if the key or the client cannot be used
 */
export function redisCredentialStore(options: RedisCredentialStoreOptions): CredentialStore {
  const { client, encryptionKey, prefix = '' } = options;
  return encryptedStore(new RedisStore(scriptsOf(client), prefix), encryptionKey);
}

/**
 * The same by a URL, over `ioredis` or `redis`, whichever is installed. It connects when a session is needed first, and again
 * when it is needed next after the connection broke; a connection that is idle keeps no process alive.
 *
 * @param url - `redis://` or, over TLS, `rediss://`
 * @returns the store, and how to close its connection
 * @throws AuthError `ERR_AUTH_CONFIG` if the key or the URL cannot be used, or no client is installed
 */
export function connectCredentialStore(
  url: string,
  encryptionKey: EncryptionKey,
): { store: CredentialStore; close: () => Promise<void> } {
  const connection = new RedisConnection(url);
  const store = encryptedStore(new RedisStore((script, ...rest) => connection.run(script, ...rest), ''), encryptionKey);
  return { store, close: () => connection.close() };
}
