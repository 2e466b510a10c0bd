import type {
  CredentialStore,
  LockOptions,
  SaveOptions,
  StoredCredential,
  StoreOptions,
  UnlockOptions,
} from '../contract/credential-store';
import type { RunScript } from './redis-client';

/** A session that nobody has renewed for so long is over, or is signed in anew: it does not stay for good. */
const KEPT_MS = 30 * 24 * 3_600_000;

const LOAD = `return redis.call('hmget', KEYS[1], 'generation', 'text')`;

const SAVE = `
local held = tonumber(redis.call('hget', KEYS[1], 'generation') or '')
if held and held >= tonumber(ARGV[2]) then return 0 end
redis.call('hset', KEYS[1], 'text', ARGV[1], 'generation', ARGV[2])
redis.call('pexpire', KEYS[1], ARGV[3])
return 1`;

const LOCK = `
if redis.call('set', KEYS[1], ARGV[1], 'NX', 'PX', ARGV[2]) then return 1 end
if redis.call('get', KEYS[1]) ~= ARGV[1] then return 0 end
return redis.call('pexpire', KEYS[1], ARGV[2])`;

const UNLOCK = `
if redis.call('get', KEYS[1]) ~= ARGV[1] then return 0 end
return redis.call('del', KEYS[1])`;

/** Texts in a hash with their generation, locks beside them. Each script is about one key, as a cluster wants it. */
export class RedisStore implements CredentialStore {
  readonly #run: RunScript;
  readonly #prefix: string;

  constructor(run: RunScript, prefix: string) {
    this.#run = run;
    this.#prefix = prefix;
  }

  async load(key: string, _options: StoreOptions): Promise<StoredCredential | undefined> {
    const [generation, text] = (await this.#run(LOAD, this.#prefix + key)) as [unknown, unknown];
    if (generation === null || text === null) return undefined;
    return { text: String(text), generation: Number(generation) };
  }

  async save(key: string, text: string, { generation }: SaveOptions): Promise<boolean> {
    return Number(await this.#run(SAVE, this.#prefix + key, text, `${generation}`, `${KEPT_MS}`)) === 1;
  }

  async lock(key: string, { owner, leaseMs }: LockOptions): Promise<boolean> {
    return Number(await this.#run(LOCK, this.#lockOf(key), owner, `${Math.ceil(leaseMs)}`)) === 1;
  }

  async unlock(key: string, { owner }: UnlockOptions): Promise<void> {
    await this.#run(UNLOCK, this.#lockOf(key), owner);
  }

  #lockOf(key: string): string {
    return `${this.#prefix}${key}:lock`;
  }
}
