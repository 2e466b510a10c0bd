import { AuthError } from '../contract/auth-error';
import { type RunScript, scriptsOf } from './redis-client';

/** A server that does not take a connection within this is down. */
const CONNECT_MS = 2_000;

/** One client that is connected when it is needed. */
interface OnDemand {
  readonly run: RunScript;
  connect(): Promise<unknown>;
  isConnected(): boolean;
  close(): void;
}

/**
 * A connection by a URL, over whichever client is installed. It never connects by itself, so that neither an idle connection nor
 * a server that is down keeps the process alive: what needs it next connects again.
 */
export class RedisConnection {
  readonly #client: OnDemand;
  readonly #running = new Set<Promise<unknown>>();
  #connecting: Promise<unknown> | undefined;
  #closed = false;

  /** @throws AuthError `ERR_AUTH_CONFIG` if it is no URL of Redis, or no client is installed */
  constructor(url: string) {
    if (!/^rediss?:\/\/[^\s/]/i.test(url)) {
      throw new AuthError('ERR_AUTH_CONFIG', 'QELOS_AUTH_REDIS_URL (or REDIS_URL) is no URL of Redis.', {
        hint: 'It has to begin with redis:// or, over TLS, with rediss://, as in rediss://:password@redis.example:6379.',
      });
    }
    this.#client = overIoredis(url) ?? overNodeRedis(url) ?? noClient();
  }

  readonly run: RunScript = (...call) => {
    const result = this.#run(...call);
    const settled = result.then(ignore, ignore).finally(() => this.#running.delete(settled));
    this.#running.add(settled);
    return result;
  };

  /** Once what is under way is over: who just ended may still have a lock to let go of. */
  async close(): Promise<void> {
    await new Promise(setImmediate);
    let timer: NodeJS.Timeout | undefined;
    const tooLong = new Promise((resolve) => (timer = setTimeout(resolve, CONNECT_MS)));
    await Promise.race([Promise.all(this.#running), tooLong]);
    clearTimeout(timer);
    this.#closed = true;
    this.#client.close();
  }

  readonly #run: RunScript = async (script, key, ...given) => {
    if (this.#closed) throw new Error('closed');
    if (!this.#client.isConnected()) {
      this.#connecting ??= this.#client.connect().finally(() => (this.#connecting = undefined));
      await this.#connecting;
    }
    return this.#client.run(script, key, ...given);
  };
}

function overIoredis(url: string): OnDemand | undefined {
  const ioredis = installed<typeof import('ioredis')>(() => require('ioredis'));
  if (!ioredis) return undefined;
  const client = new ioredis.Redis(url, {
    lazyConnect: true,
    connectTimeout: CONNECT_MS,
    retryStrategy: () => null,
    maxRetriesPerRequest: 0,
  });
  client.on('error', () => {}); // what was asked for fails too, and is told
  client.on('connect', () => client.stream.unref());
  return {
    run: scriptsOf(client),
    connect: () => client.connect(),
    isConnected: () => client.status === 'ready',
    close: () => client.disconnect(),
  };
}

function overNodeRedis(url: string): OnDemand | undefined {
  const redis = installed<typeof import('redis')>(() => require('redis'));
  if (!redis) return undefined;
  const client = redis.createClient({ url, socket: { connectTimeout: CONNECT_MS, reconnectStrategy: false } });
  client.on('error', () => {});
  client.unref();
  return {
    run: scriptsOf(client),
    connect: () => client.connect(),
    isConnected: () => client.isReady,
    close: () => {
      if (client.isOpen) client.destroy();
    },
  };
}

function ignore(): void {}

/** An optional peer, or undefined if it is not installed. */
function installed<T>(load: () => T): T | undefined {
  try {
    return load();
  } catch (error) {
    if ((error as { code?: unknown }).code === 'MODULE_NOT_FOUND') return undefined;
    throw error;
  }
}

function noClient(): never {
  throw new AuthError('ERR_AUTH_CONFIG', 'A session is to be shared through Redis, and no client is installed.', {
    hint: 'Run `npm install ioredis` or `npm install redis`, or remove QELOS_AUTH_REDIS_URL (with REDIS_URL: QELOS_AUTH_SHARED).',
  });
}
