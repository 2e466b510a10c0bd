import type { CreateAxiosDefaults } from 'axios';
import type { Account } from '../account';
import { type AuthConfig, DEFAULT_TIMEOUT_MS } from '../config';
import { AuthError } from '../contract/auth-error';
import type { StrategyObject } from '../contract/auth-strategy';
import { closedError } from '../credentials/credential-manager';
import { type AuthEvents, EventHub } from '../events';
import { checkedTransport, type Transport } from '../http/transport';
import { ownOptions } from '../own-properties';
import type { InstanceOptions } from '../qelos-auth';
import { type Shared, Tenant } from './tenant';
import { TenantPool } from './tenant-pool';
import { type TenantConfig, TenantSettings } from './tenant-settings';
import { Turnstile } from './turnstile';

/** The events of {@link AuthEvents}, each with the tenant it is about. */
export type TenantEvents = { [E in keyof AuthEvents]: AuthEvents[E] & { tenant: string } };

export interface TenantAuthOptions {
  /**
   * How many tenants' credentials to keep. The one used longest ago makes room; it signs in anew when it is used again.
   * Default: 10,000.
   */
  max?: number | undefined;
  /**
   * The hosts that tenants' URLs may name: `my.qelos.example`, `my.qelos.example:8443`, or `*.qelos.example` for all below
   * it. One without a port is for the scheme's own port alone. Default: any. Set it where tenants, or anybody you do not trust,
   * can choose a URL: whatever they name is called from inside your network.
   */
  allowedHosts?: readonly string[] | undefined;
  /** Strategies to try for a tenant before the built-in ones, in this order; made whenever a tenant signs in. */
  strategies?: ((config: AuthConfig, tenant: string) => readonly StrategyObject[]) | undefined;
  /** Defaults of each tenant's axios instance: time-out, agents, headers, an adapter. `baseURL` is always the tenant's URL. */
  axios?: CreateAxiosDefaults | undefined;
  /** As {@link InstanceOptions.transport}, for all tenants. */
  transport?: InstanceOptions['transport'];
  /** As {@link InstanceOptions.logger}, for all tenants. */
  logger?: InstanceOptions['logger'] | undefined;
  /**
   * Milliseconds that obtaining a tenant's credential, loading its settings included, may take in all. It holds for strategies
   * with a `signInTimeoutMs` as well. Default: 20,000.
   */
  timeoutMs?: number | undefined;
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
 * refreshed. So a new password, token or URL is picked up by itself, and none is asked for twice at once: 50 calls for a cold
 * tenant are one load and one sign-in.
 */
export class TenantAuth {
  readonly #axios: CreateAxiosDefaults | undefined;
  readonly #transport: Transport | undefined;
  readonly #events: EventHub;
  readonly #pool: TenantPool<Tenant>;
  readonly #shared: Shared;
  readonly #coldStarts = new Turnstile();
  #closed = false;

  /**
   * @param load - gives the settings of a tenant, or `undefined` if there is none of that name: an object that has nothing
   *   but `url`, `apiToken`, `username`, `password`, `workspace`, `strategy` and `allowInsecureUrl` of its own; other names are
   *   refused. What it throws is an outage, retried automatically after 1 s, doubling to 60 s; throw an AuthError to say it in
   *   your own words. Where a tenant can choose its URL, see {@link TenantAuthOptions.allowedHosts}.
   * @throws AuthError `ERR_AUTH_CONFIG` if a number is not positive, one of `allowedHosts` is no host, or `transport` is no transport
   */
  constructor(
    load: (tenant: string) => Promise<TenantConfig | undefined> | TenantConfig | undefined,
    options: TenantAuthOptions = {},
  ) {
    const own = ownOptions(options);
    const { max = DEFAULT_MAX, timeoutMs = DEFAULT_TIMEOUT_MS, strategies, allowedHosts, axios } = own;
    if (!(Number.isInteger(max) && max > 0) || !(Number.isFinite(timeoutMs) && timeoutMs > 0)) {
      throw new AuthError('ERR_AUTH_CONFIG', 'max must be a positive integer, timeoutMs a positive number.', {
        hint: 'Correct the options of TenantAuth and start again.',
      });
    }
    const transport = checkedTransport(own.transport);
    this.#events = new EventHub('tenants', own.logger);
    this.#axios = axios;
    this.#transport = transport;
    this.#pool = new TenantPool(max);
    this.#shared = {
      timeoutMs,
      settings: new TenantSettings(load, { strategies, allowedHosts }),
      pool: this.#pool,
      moved: new WeakSet(),
      connection: { ...(transport && { transport }), ...axios },
      emit: (event, detail) => this.#events.emit(event, detail),
    };
  }

  /** How many tenants' credentials are kept at the moment. */
  get size(): number {
    return this.#pool.size;
  }

  /**
   * What to call a tenant's Qelos with, cheap to make and to drop: get one for each piece of work. Loads the tenant's settings and
   * signs in, unless it has a credential.
   *
   * @throws AuthError (as a rejection) why the tenant has no credential; the message names the tenant. It is remembered for this
   *   tenant alone: after a refusal for 30 s, doubling to 5 min, after an outage for 1 s, doubling to 60 s.
   */
  for(tenant: string): Promise<Account> {
    const turn = this.#pool.find(tenant) ? undefined : this.#coldStarts.pass();
    return turn ? turn.then(() => this.#handleFor(tenant)) : this.#handleFor(tenant);
  }

  /**
   * Forgets a tenant: whatever waits for its credential, and later calls of its handles, end with `ERR_AUTH_CLOSED`, and the
   * next `for()` begins anew. For a tenant that has gone or moved to another URL, or to try at once what was refused.
   *
   * @returns whether it was there
   */
  forget(tenant: string): boolean {
    const found = this.#pool.find(tenant);
    if (found) this.#end(found);
    return found !== undefined;
  }

  /** Adds a listener for an event of any tenant. Returns the function that removes it. */
  on<E extends keyof TenantEvents>(event: E, listener: (detail: TenantEvents[E]) => void): () => void {
    return this.#events.on(event, listener as (detail: AuthEvents[E]) => void);
  }

  /** Forgets all tenants; later calls end with `ERR_AUTH_CLOSED`. Nothing is left running. */
  async close(): Promise<void> {
    this.#closed = true;
    for (const tenant of this.#pool.all()) this.#end(tenant);
  }

  async #handleFor(id: string): Promise<Account> {
    if (typeof id !== 'string') throw namelessTenant(id);
    if (this.#closed) throw closedError();
    const tenant = this.#current(id);
    try {
      await tenant.get();
    } catch (error) {
      if (!tenant.hasMoved) throw error;
      return this.for(id); // it begins anew, at the new url
    }
    return tenant.handle(this.#axios, this.#transport);
  }

  /** The tenant of a name as it is to be used from now on: a new one if it was not there, or has moved. */
  #current(id: string): Tenant {
    const found = this.#pool.find(id);
    if (found && !found.hasMoved) return found;
    if (found) this.#end(found);
    const tenant = new Tenant(id, this.#shared);
    this.#pool.add(tenant);
    return tenant;
  }

  #end(tenant: Tenant): void {
    this.#pool.remove(tenant);
    tenant.close();
  }
}

function namelessTenant(tenant: unknown): AuthError {
  return new AuthError('ERR_AUTH_CONFIG', `The name of a tenant is of type ${typeof tenant}.`, {
    hint: 'Call for() with a string, and check where it comes from: a header that is missing gives undefined.',
  });
}
