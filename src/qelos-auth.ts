import type { CreateAxiosDefaults } from 'axios';
import { Account, type AccountParts } from './account';
import { type ActingHandle, actingFor, type Impersonated, impersonating } from './acting/acting-for';
import type { IncomingSource } from './acting/incoming-credential';
import type { Verifier, VerifyOptions } from './acting/verify';
import type { AuthConfig } from './config';
import type { StrategyOption } from './contract/auth-strategy';
import type { CredentialStore } from './contract/credential-store';
import { type CredentialManager, closedError } from './credentials/credential-manager';
import { nameOf } from './credentials/obtain-errors';
import type { AuthEvents, EventHub } from './events';
import { CONNECTION } from './http/bare-client';
import type { Transport } from './http/transport';
import type { Logger } from './logger';
import type { IUser } from './sdk/qelos-sdk.types';
import type { Selection } from './strategies/resolver';

/** What a `QelosAuth` is put together from. */
export interface QelosAuthParts {
  url: string;
  selection: Selection;
  manager: CredentialManager;
  /** What says whose credentials come in. */
  verifier: Verifier;
  /** What the manager tells its events to. */
  events: EventHub;
  axios: CreateAxiosDefaults | undefined;
  transport: Transport | undefined;
  /** Makes another instance for {@link QelosAuth.for}. */
  other: (config: Partial<AuthConfig>, options: InstanceOptions) => QelosAuth;
  /** Ends what was made for this instance alone. */
  release: (() => Promise<void>) | undefined;
}

/** What an instance can be given besides its settings. */
export interface InstanceOptions {
  /** Strategies to try before the built-in ones, in this order. */
  strategies?: readonly StrategyOption[] | undefined;
  /** Where to share credentials with other processes. Default: what `QELOS_AUTH_REDIS_URL` names, else nowhere. */
  store?: CredentialStore | undefined;
  /** Defaults of the axios instance: time-out, agents, headers, an adapter. `baseURL` is always the instance's URL. */
  axios?: CreateAxiosDefaults | undefined;
  /**
   * What sign-ins and authenticated requests are sent with: `undici()` of `qelos-auth/undici` sends 1.9 times as many a second as bare axios, from 50 callers.
   * What undici cannot do as Node's client does (agents, proxies, sockets, `lookup`) still goes over that.
   * Default: Node's client.
   */
  transport?: Transport | undefined;
  /**
   * Where to write one structured line for each event: an instance of pino or winston, `console`, or anything with `debug`, `info`, `warn`
   * and `error`. No line holds a secret. Default: nowhere.
   */
  logger?: Logger | undefined;
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
  /** What handles that act as somebody else are made from. */
  readonly #parts: AccountParts;
  readonly #verifier: Verifier;
  readonly #other: QelosAuthParts['other'];
  /** The instances that `for` made and nobody has closed. */
  readonly #others = new Set<QelosAuth>();
  readonly #release: QelosAuthParts['release'];
  #closed = false;
  #onClose: (() => void) | undefined;

  /** Not for plugins: `createQelosAuth` and `registerQelosAuth` choose the strategy and check the configuration. */
  constructor(made: { readonly made: never });
  /** @internal */
  constructor(parts: QelosAuthParts);
  constructor(given: QelosAuthParts | { readonly made: never }) {
    const {
      url,
      selection,
      manager,
      verifier,
      events,
      axios = {},
      transport,
      other,
      release,
    } = given as QelosAuthParts;
    const { strategy, skipped } = selection;
    const parts = { url, source: manager, strategy, events, axios, transport };
    super(parts);
    this.#parts = parts;
    this.#verifier = verifier;
    const { source } = strategy;
    this.strategy = { name: nameOf(strategy), ...(source !== undefined && { source }), skipped };
    this.#manager = manager;
    this.#events = events;
    this.#defaults = axios;
    this.#other = other;
    this.#release = release;
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

  /**
   * The same instance, as whoever has sent a request: with the credential that came in with it, which is neither renewed nor
   * replaced by the plugin's own. A 401 comes back as it is. The handle keeps working once the request is over.
   *
   * @param source - the incoming request, its headers, or `{ authorization?, cookie?, apiKey? }`; of it only what has the form of
   *   a Qelos credential is sent (the cookies `token` and `qlt_…`, a bearer, an API token as `x-api-key`)
   * @throws AuthError `ERR_AUTH_CONFIG` if the source can hold none. Calls: `ERR_AUTH_NO_CREDENTIAL`, before anything is sent, if
   *   it holds none; `ERR_AUTH_CLOSED` after `close()`
   */
  actingFor(source: IncomingSource): ActingHandle {
    return actingFor(source, this.#parts, () => (this.#closed ? closedError() : undefined));
  }

  /**
   * The same account, acting as somebody else. It counts for privileged accounts alone: others go on as themselves. An unknown
   * user is answered with 404, and by services behind the gateway with 401.
   *
   * @throws AuthError `ERR_AUTH_CONFIG` if there is no user, or an identifier is none
   */
  impersonating(whom: Impersonated): ActingHandle {
    return impersonating(whom, this.#parts);
  }

  /**
   * Whose credential came in with a request, by `GET /api/me`. The answer counts for `maxAgeMs`; requests with the same credential
   * share one question.
   *
   * @param source - as for {@link QelosAuth.actingFor}
   * @returns the user; undefined if there is no credential of Qelos, or Qelos refuses it: answer with 401
   * @throws AuthError (as a rejection) if Qelos could not be asked: answer with 503. Never because of the credential
   */
  async verify(source: IncomingSource, options?: VerifyOptions): Promise<IUser | undefined> {
    if (this.#closed) throw closedError();
    return this.#verifier.verify(source, options);
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
    await this.#release?.();
  }
}
