import { AuthError } from '../contract/auth-error';

/** What is needed of a client of `ioredis`: `Redis`, with Sentinel too, or `Cluster`. */
export interface IoredisClient {
  eval(script: string, numberOfKeys: number, ...keysAndArguments: string[]): Promise<unknown>;
  defineCommand: unknown;
}

/** What is needed of a client of `redis` (node-redis) 4 or later: of `createClient`, `createCluster` or `createSentinel`. */
export interface NodeRedisClient {
  eval(script: string, options: { keys: string[]; arguments: string[] }): Promise<unknown>;
  readonly isOpen: boolean;
}

/** A client of Redis, or of what speaks its protocol. */
export type RedisClient = IoredisClient | NodeRedisClient;

/** Runs a Lua script about one key. */
export type RunScript = (script: string, key: string, ...given: string[]) => Promise<unknown>;

/**
 * Scripts, also where a command would do: clients may send commands that only read to replicas, which are behind.
 *
 * @throws AuthError `ERR_AUTH_CONFIG` if it is no client that is known
 */
export function scriptsOf(client: RedisClient): RunScript {
  if (typeof client === 'object' && client !== null && typeof client.eval === 'function') {
    if ('defineCommand' in client) return (script, key, ...given) => client.eval(script, 1, key, ...given);
    if ('isOpen' in client) return (script, key, ...given) => client.eval(script, { keys: [key], arguments: given });
  }
  throw new AuthError('ERR_AUTH_CONFIG', 'The client of redisCredentialStore is none of ioredis or node-redis.', {
    hint: 'Pass what `new Redis()` or `new Cluster()` of ioredis gives, or what `createClient()`, `createCluster()` or `createSentinel()` of redis (4 or later) gives.',
  });
}
