import type { CreateAxiosDefaults } from 'axios';
import { type AuthConfig, DEFAULT_TIMEOUT_MS, loadAuthConfig } from './config';
import type { Credential } from './credentials/credential';
import { CredentialManager, type CredentialManagerOptions, closedError } from './credentials/credential-manager';
import { reworded, toAuthError } from './credentials/obtain-errors';
import { AuthError, isRefusedCredential, kindOf } from './errors';
import { type AuthEvents, EventHub } from './events';
import type { CredentialSource } from './http/auth-interceptor';
import { createBareClient } from './http/http-client';
import { Origin } from './http/origin';
import { type Transport, transportFor } from './http/undici-transport';
import { type InstanceOptions, QelosAuth, warnOfInsecureUrl } from './qelos-auth';
import { takeUser } from './sdk/sign-in-sdk';
import { ApiTokenStrategy } from './strategies/api-token-strategy';
import type { ApiAnswer, AuthContext, AuthStrategy } from './strategies/auth-strategy';
import { OAuthRefreshStrategy } from './strategies/oauth-refresh-strategy';
import { type Selection, StrategyResolver } from './strategies/strategy-resolver';

/** A tenant's settings, by the names of {@link AuthConfig}; nothing of them is read from the environment. */
export type TenantConfig = Omit<AuthConfig, 'timeoutMs' | 'apiTokenFile'>;

/** What a tenant's calls are made with. Cheap to make and to drop: get one for each piece of work. */
export type TenantHandle = Pick<QelosAuth, 'http' | 'fetch' | 'sdk' | 'signIn' | 'attach'>;

/** The events of {@link AuthEvents}, each with the tenant it is about. */
export type TenantEvents = { [E in keyof AuthEvents]: AuthEvents[E] & { tenant: string } };

export interface TenantAuthOptions {
  /** How many tenants' credentials to keep. The one used longest ago makes room; it signs in anew when it is used again. */
  max?: number;
  /** Strategies to try for a tenant before the built-in ones, in this order; made whenever a tenant signs in. */
  strategies?: (config: AuthConfig, tenant: string) => readonly AuthStrategy[];
  /** Defaults of each tenant's axios instance: time-out, agents, headers, an adapter. `baseURL` is always the tenant's URL. */
  axios?: CreateAxiosDefaults;
  /** As {@link InstanceOptions.transport}, for all tenants. */
  transport?: InstanceOptions['transport'];
  /** Milliseconds that obtaining a tenant's credential, loading its settings included, may take in all. Default: 20,000. */
  timeoutMs?: number;
}

const DEFAULT_MAX = 10_000;

/**
 * Many tenants in one process, each with a Qelos instance or an account of its own: a bounded pool of their credentials, kept
 * fresh as that of a `QelosAuth` is. Nothing crosses over: a tenant whose password is refused, or whose instance is down, stops
 * alone.
 *
 * ```ts
 * const tenants = new TenantAuth(async (id) => db.settingsOf(id)); // { url, apiToken } or { url, username, password }
 * const { http, sdk } = await tenants.for('acme');
 * await http.get('/api/me');
 * ```
 *
 * A tenant's settings are loaded whenever it signs in: at its first use, and when its credential was refused and could not be
 * refreshed. So a new password or token is picked up by itself, and none is asked for twice at once: 50 calls for a cold tenant
 * are one load and one sign-in.
 */
export class TenantAuth {
  readonly #load: (tenant: string) => Promise<TenantConfig | undefined> | TenantConfig | undefined;
  readonly #options: TenantAuthOptions;
  readonly #max: number;
  readonly #transport: Transport | undefined;
  readonly #events = new EventHub();
  /** In the order of their last use. A Map keeps its order, so it is the least-recently-used cache that is needed here. */
  readonly #tenants = new Map<string, Tenant>();
  /** Tenants that had to make room and may still be used through a handle: there is never a second one beside them. */
  readonly #evicted = new Map<string, WeakRef<Tenant>>();
  readonly #collected = new FinalizationRegistry<string>((id) => {
    if (this.#evicted.get(id)?.deref() === undefined) this.#evicted.delete(id);
  });
  #newest: Tenant | undefined;
  #hasWarned = false;
  #closed = false;

  /**
   * @param load - gives the settings of a tenant, or `undefined` if there is none of that name. What it throws is an outage,
   *   tried again by itself after 1 s, doubling to 60 s; throw an AuthError to say it in your own words.
   * @throws AuthError `ERR_AUTH_CONFIG` if a number is not positive, or the transport cannot be used
   */
  constructor(
    load: (tenant: string) => Promise<TenantConfig | undefined> | TenantConfig | undefined,
    options: TenantAuthOptions = {},
  ) {
    this.#load = load;
    this.#options = options;
    this.#max = options.max ?? DEFAULT_MAX;
    this.#transport = transportFor(options.transport);
    const { timeoutMs = DEFAULT_TIMEOUT_MS } = options;
    if (!(Number.isInteger(this.#max) && this.#max > 0) || !(Number.isFinite(timeoutMs) && timeoutMs > 0)) {
      throw new AuthError('ERR_AUTH_CONFIG', 'max must be a positive integer, timeoutMs a positive number.', {
        hint: 'Correct the options of TenantAuth and start again.',
      });
    }
  }

  /** How many tenants' credentials are kept at the moment. */
  get size(): number {
    return this.#tenants.size;
  }

  /**
   * What to call a tenant's Qelos with. Loads its settings and signs in, unless it has a credential.
   *
   * @throws AuthError (as a rejection) why the tenant has no credential; the message names the tenant. It is remembered for this
   *   tenant alone: after a refusal for 30 s, doubling to 5 min, after an outage for 1 s, doubling to 60 s.
   */
  async for(tenant: string): Promise<TenantHandle> {
    if (this.#closed) throw closedError();
    const found = this.#find(tenant) ?? new Tenant(tenant, this.#pool);
    this.#use(found);
    try {
      await found.get();
    } catch (error) {
      throw error instanceof AuthError ? error.again() : error;
    }
    return found.handle(this.#options.axios, this.#transport);
  }

  /**
   * Forgets a tenant: whatever waits for its credential, and later calls of its handles, end with `ERR_AUTH_CLOSED`, and the
   * next `for()` begins anew. For a tenant that has gone or moved to another URL, or to try at once what was refused.
   *
   * @returns whether it was there
   */
  forget(tenant: string): boolean {
    const found = this.#find(tenant);
    this.#tenants.delete(tenant);
    this.#evicted.delete(tenant);
    if (found === this.#newest) this.#newest = undefined;
    found?.close();
    return found !== undefined;
  }

  /** Adds a listener for an event of any tenant. Returns the function that removes it. */
  on<E extends keyof TenantEvents>(event: E, listener: (detail: TenantEvents[E]) => void): () => void {
    return this.#events.on(event, listener as (detail: AuthEvents[E]) => void);
  }

  /** Forgets all tenants; later calls end with `ERR_AUTH_CLOSED`. Nothing is left running. */
  async close(): Promise<void> {
    this.#closed = true;
    for (const tenant of [...this.#tenants.keys(), ...this.#evicted.keys()]) this.forget(tenant);
  }

  /** What tenants need of this object; one for all of them. */
  readonly #pool: Pool = {
    timeoutMs: () => this.#options.timeoutMs ?? DEFAULT_TIMEOUT_MS,
    load: (tenant) => this.#settingsOf(tenant),
    client: (url, signal) =>
      createBareClient(url, new Origin(url), signal, {
        ...(this.#transport && { transport: this.#transport }),
        ...this.#options.axios,
      }),
    emit: (event, detail) => this.#events.emit(event, detail),
    use: (tenant) => {
      if (this.#find(tenant.id) === tenant) this.#use(tenant);
    },
    trim: () => this.#trim(),
  };

  #find(id: string): Tenant | undefined {
    return this.#tenants.get(id) ?? this.#evicted.get(id)?.deref();
  }

  /** Puts a tenant last in the order of those that have to make room. */
  #use(tenant: Tenant): void {
    if (tenant === this.#newest) return;
    this.#newest = tenant;
    this.#tenants.delete(tenant.id);
    this.#tenants.set(tenant.id, tenant);
    if (this.#evicted.delete(tenant.id)) this.#collected.unregister(tenant);
    this.#trim();
  }

  /**
   * Makes room. A tenant with a flight under way stays until that is over: its successor would sign in, or load, a second time
   * beside it.
   */
  #trim(): void {
    if (this.#tenants.size <= this.#max) return;
    for (const [id, tenant] of this.#tenants) {
      if (tenant.isFlying || tenant === this.#newest) continue;
      this.#tenants.delete(id);
      this.#evicted.set(id, new WeakRef(tenant));
      this.#collected.register(tenant, id, tenant);
      if (this.#tenants.size <= this.#max) return;
    }
  }

  async #settingsOf(tenant: string): Promise<Loaded> {
    let given: TenantConfig | undefined;
    try {
      given = await this.#load(tenant);
    } catch (error) {
      throw error instanceof AuthError ? error : loadFailed(error);
    }
    if (typeof given !== 'object' || given === null) throw unknownTenant();
    const config = loadAuthConfig({}, given);
    if (config.allowInsecureUrl && new Origin(config.url).isPlain && !this.#hasWarned) {
      this.#hasWarned = true;
      warnOfInsecureUrl();
    }
    const custom = this.#options.strategies?.(config, tenant) ?? [];
    const candidates = [...custom, new ApiTokenStrategy(config), new OAuthRefreshStrategy(config)];
    return { config, selection: new StrategyResolver(candidates).resolve(config.strategy) };
  }
}

/** A tenant's settings, checked, and the strategy that was chosen from them. */
interface Loaded {
  readonly config: AuthConfig;
  readonly selection: Selection;
}

/** What all tenants of a {@link TenantAuth} share. */
interface Pool extends Pick<EventHub, 'emit'> {
  timeoutMs(): number;
  /** Loads a tenant's settings and chooses its strategy. */
  load(tenant: string): Promise<Loaded>;
  client(url: string, signal: AbortSignal): AuthContext['http'];
  /** Told of each use of a tenant. */
  use(tenant: Tenant): void;
  /** Told that a tenant may be dropped now that had to stay before. */
  trim(): void;
}

/**
 * One tenant: what keeps its credential, and the strategy that was chosen when its settings were loaded. There may be 100,000
 * of them, so it is itself all that its manager needs to be given: the options, the strategy and the listener of events.
 */
class Tenant implements CredentialManagerOptions, CredentialSource {
  readonly id: string;
  readonly #pool: Pool;
  readonly #manager: CredentialManager;
  /** Of the settings when they were last loaded. */
  #url = '';
  #chosen: AuthStrategy | undefined;
  isFlying = false;

  constructor(id: string, pool: Pool) {
    this.id = id;
    this.#pool = pool;
    this.#manager = new CredentialManager(this);
  }

  /** A set of what is made from the parts that stay; the garbage collector may have it back at any time. */
  handle(axios: CreateAxiosDefaults | undefined, transport: Transport | undefined): TenantHandle {
    const selection = { strategy: this.strategy, skipped: [] };
    return new QelosAuth({ config: { url: this.#url }, selection, axios, transport, tenant: this });
  }

  close(): void {
    this.#manager.close();
  }

  // What the requests of a handle need.

  get(rejected?: Credential): Credential | Promise<Credential> {
    this.#pool.use(this);
    return this.#manager.get(rejected);
  }

  mayHaveEnded(credential: Credential): boolean {
    return this.#manager.mayHaveEnded(credential);
  }

  replayed(credential: Credential, cured: boolean): void {
    this.#manager.replayed(credential, cured);
  }

  // What the manager needs.

  get strategy(): AuthStrategy {
    return this as AuthStrategy; // a method that its accessor says is undefined is as good as one that is not there
  }

  get timeoutMs(): number {
    return this.#pool.timeoutMs();
  }

  get events(): Pick<EventHub, 'emit'> {
    const mine = <T>(detail: T) => ({ ...detail, tenant: this.id });
    return {
      emit: (event, made) => this.#pool.emit(event, () => mine(typeof made === 'function' ? made() : made)),
    };
  }

  context(signal: AbortSignal): AuthContext {
    const client = () => this.#pool.client(this.#url, signal);
    return {
      signal,
      // Made when a strategy asks for it: by then the settings are loaded, and with them it is known where the instance is.
      get http() {
        return client();
      },
    };
  }

  onFlight(flight: Promise<Credential>): void {
    this.isFlying = true;
    const over = () => {
      this.isFlying = false;
      this.#pool.trim();
    };
    flight.then(over, over);
  }

  // The strategy that was chosen for it, whichever that is at the moment.

  get name(): string {
    return this.#chosen?.name ?? 'none';
  }

  missing(): readonly string[] {
    return [];
  }

  async signIn(context: AuthContext, former?: Credential): Promise<Credential> {
    try {
      const { config, selection } = await this.#pool.load(this.id);
      context.signal.throwIfAborted(); // a load that took too long must not undo what a later one has found
      // The handles that are out send to the old one.
      if (this.#chosen && this.#url !== config.url) throw movedTenant();
      const { strategy, skipped } = selection;
      this.#url = config.url;
      this.#chosen = strategy;
      this.events.emit('strategySelected', { strategy: strategy.name, skipped });
      const credential = await strategy.signIn(context, former);
      takeUser(credential); // nobody may ever ask, and it would stay as long as the credential does
      return credential;
    } catch (error) {
      throw named(error, 'sign-in', this);
    }
  }

  get refresh(): ((current: Credential, context: AuthContext) => Promise<Credential>) | undefined {
    const strategy = this.#chosen;
    if (!strategy?.refresh) return undefined;
    return async (current, context) => {
      try {
        return (await strategy.refresh?.(current, context)) as Credential;
      } catch (error) {
        throw named(error, 'refresh', this);
      }
    };
  }

  get authorize(): AuthStrategy['authorize'] {
    const strategy = this.#chosen;
    return strategy?.authorize && ((request, credential) => strategy.authorize?.(request, credential));
  }

  /** An API token is looked up again when it is refused, as that in a file is. */
  isRejected(answer: ApiAnswer): boolean {
    const strategy = this.#chosen;
    if (strategy instanceof ApiTokenStrategy) return isRefusedCredential(answer);
    return strategy?.isRejected?.(answer) ?? isRefusedCredential(answer);
  }
}

/** The error that says which tenant it is about. */
function named(error: unknown, operation: 'sign-in' | 'refresh', { id, name }: Tenant): AuthError {
  const known = toAuthError(error, operation, name);
  return reworded(known, `Tenant ${JSON.stringify(id.slice(0, 100))}: ${known.message}`);
}

function loadFailed(error: unknown): AuthError {
  return new AuthError('ERR_AUTH_UNAVAILABLE', `Its settings could not be loaded: ${kindOf(error)} was thrown.`, {
    hint: 'Look at the function that was given to TenantAuth, and at what it reads from. Throw an AuthError there to say more; the text of other errors is not shown, as it could hold a secret. The next try is made by itself.',
    retryable: true,
  });
}

function unknownTenant(): AuthError {
  return new AuthError('ERR_AUTH_CONFIG', 'There are no settings for it.', {
    hint: 'The function that was given to TenantAuth returned none. Check the name; forget() makes it be asked again at once.',
  });
}

function movedTenant(): AuthError {
  return new AuthError('ERR_AUTH_CONFIG', 'Its url has changed, and what is in use sends to the old one.', {
    hint: 'Call forget() when a tenant moves, then for() again.',
  });
}
