import type { CreateAxiosDefaults } from 'axios';
import { Account } from './account';
import { type AuthConfig, DEFAULT_TIMEOUT_MS } from './config';
import type { StrategyOption } from './contract/auth-strategy';
import type { CredentialStore } from './contract/credential-store';
import { CredentialManager, closedError } from './credentials/credential-manager';
import { nameOf } from './credentials/obtain-errors';
import { shareKey } from './credentials/sharing';
import { type AuthEvents, EventHub } from './events';
import { CONNECTION, createBareClient } from './http/bare-client';
import { Origin } from './http/origin';
import type { Transport } from './http/transport';
import type { Logger } from './logger';
import type { Selection } from './strategies/resolver';

export interface QelosAuthParts {
  config: AuthConfig;
  selection: Selection;
  store?: CredentialStore | undefined;
  axios?: CreateAxiosDefaults | undefined;
  transport?: Transport | undefined;
  logger?: Logger | undefined;
  /** What events and `status()` call it. Default: the origin of its URL. */
  name?: string | undefined;
  /** Makes another instance for {@link QelosAuth.for}. */
  other: (config: Partial<AuthConfig>, options: InstanceOptions) => QelosAuth;
}

/** What an instance can be given besides its settings. */
export interface InstanceOptions {
  /** Strategies to try before the built-in ones, in this order. */
  strategies?: readonly StrategyOption[];
  /** Where to share credentials with other processes. Default: nowhere. */
  store?: CredentialStore;
  /** Defaults of the axios instance: time-out, agents, headers, an adapter. `baseURL` is always the instance's URL. */
  axios?: CreateAxiosDefaults;
  /**
   * What sign-ins and authenticated requests are sent with: `undici()` of `qelos-auth/undici` sends about 1.4 times as many a second.
   * What undici cannot do as Node's client does (agents, proxies, sockets, `lookup`) still goes over that.
   * Default: Node's client.
   */
  transport?: Transport;
  /**
   * Where to write one structured line for each event: an instance of pino or winston, `console`, or anything with `debug`, `info`, `warn`
   * and `error`. No line holds a secret. Default: nowhere.
   */
  logger?: Logger;
}

/** What of an axios instance's defaults is about the way to a server; the rest may be meant for one server alone. */
const FOR_ANY_INSTANCE = ['timeout', ...CONNECTION] as const;

/**
 * One account on one Qelos instance: an axios instance, a `fetch` and an SDK that share a credential, which is obtained at
 * the first request (or by `signIn()`) and kept fresh from then on.
 */
export class QelosAuth extends Account {
  /** The strategy in use, where its credential is from if it says so, and what the ones before it lacked. */
  readonly strategy: { readonly name: string; readonly source?: string; readonly skipped: Selection['skipped'] };
  readonly #manager: CredentialManager;
  readonly #events: EventHub;
  readonly #defaults: CreateAxiosDefaults;
  readonly #other: QelosAuthParts['other'];
  /** The instances that `for` made and nobody has closed. */
  readonly #others = new Set<QelosAuth>();
  #closed = false;
  #onClose: (() => void) | undefined;

  /** Use `createQelosAuth` or `registerQelosAuth`, which choose the strategy and check the configuration. */
  constructor({ config, selection, store, axios = {}, transport, logger, name, other }: QelosAuthParts) {
    const { strategy, skipped } = selection;
    const origin = new Origin(config.url);
    const events = new EventHub(name ?? new URL(config.url).origin, logger);
    const connection = transport ? { transport, ...axios } : axios;
    const key = store && shareKey(config.url, strategy);
    const manager = new CredentialManager({
      strategy,
      events,
      host: origin.host,
      context: (signal) => ({ signal, http: createBareClient(config.url, origin, signal, connection) }),
      timeoutMs: config.timeoutMs ?? DEFAULT_TIMEOUT_MS,
      ...(key !== undefined && { store, storeKey: key }),
    });
    super({ url: config.url, source: manager, strategy, events, axios, transport });
    const { source } = strategy;
    this.strategy = { name: nameOf(strategy), ...(source !== undefined && { source }), skipped };
    this.#manager = manager;
    this.#events = events;
    this.#defaults = axios;
    this.#other = other;
    if (config.allowInsecureUrl && origin.isPlain) warnOfInsecureUrl();
    // Listeners are added once this constructor is done.
    queueMicrotask(() => events.emit('strategySelected', { strategy: nameOf(strategy), skipped }));
  }

  /**
   * Another Qelos instance, or another account: a `QelosAuth` of its own, which `close()` of this one closes too. It takes
   * over how a server is reached (time-out, adapter, agents and proxy of the option `axios`; `transport`) and nothing of who this one is:
   * not its settings, nor its environment, strategies, store or headers. A strategy would bring this instance's secrets to the
   * other one; pass those that know better again. Close what you no longer need, and use `TenantAuth` for many.
   *
   * @param config - all of its settings, by name
   * @param options - what it is to have besides them
   * @throws AuthError `ERR_AUTH_CONFIG`, `ERR_AUTH_INSECURE_URL`, `ERR_AUTH_NO_STRATEGY`; `ERR_AUTH_CLOSED` after `close()`
   */
  for(config: Partial<AuthConfig> & Pick<AuthConfig, 'url'>, options: InstanceOptions = {}): QelosAuth {
    if (this.#closed) throw closedError();
    const given = FOR_ANY_INSTANCE.filter((name) => this.#defaults[name] !== undefined);
    const reached = Object.fromEntries(given.map((name) => [name, this.#defaults[name]]));
    const other = this.#other(config, { ...options, axios: { ...reached, ...options.axios } });
    this.#others.add(other);
    other.#onClose = () => this.#others.delete(other);
    return other;
  }

  /** Adds a listener for an event. Returns the function that removes it. */
  on<E extends keyof AuthEvents>(event: E, listener: (detail: AuthEvents[E]) => void): () => void {
    return this.#events.on(event, listener);
  }

  /** Ends whatever waits for a credential with `ERR_AUTH_CLOSED`; later requests get the same. Nothing is left running. */
  async close(): Promise<void> {
    this.#closed = true;
    this.#manager.close();
    this.#onClose?.();
    for (const other of this.#others) other.close();
  }
}

export function warnOfInsecureUrl(): void {
  process.emitWarning('QELOS_URL begins with http:// and allowInsecureUrl is set: credentials travel readable.', {
    type: 'SecurityWarning',
    code: 'QELOS_AUTH_INSECURE_URL',
  });
}
