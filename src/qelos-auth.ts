import { createHash } from 'node:crypto';
import axios, { type AxiosInstance, type CreateAxiosDefaults } from 'axios';
import { type AuthConfig, DEFAULT_TIMEOUT_MS } from './config';
import { AuthError } from './contract/auth-error';
import type { StrategyOption } from './contract/auth-strategy';
import type { CredentialStore } from './contract/credential-store';
import { CredentialManager, closedError } from './credentials/credential-manager';
import { nameOf } from './credentials/obtain-errors';
import { type AuthEvents, EventHub } from './events';
import { AuthInterceptor, type CredentialSource } from './http/auth-interceptor';
import { CONNECTION, createBareClient } from './http/bare-client';
import { within } from './http/deadline';
import { createFetch } from './http/fetch';
import { timeoutOf } from './http/limits';
import { adapterInNode } from './http/node-runtime';
import { Origin } from './http/origin';
import type { Transport } from './http/transport';
import type { IUser, QelosAdministratorSDK } from './sdk/qelos-sdk.types';
import { sdkError } from './sdk/sdk-answer';
import { SdkCalls } from './sdk/sdk-calls';
import { ApiTokenStrategy } from './strategies/api-token';
import { CliLoginStrategy } from './strategies/cli-login';
import type { Selection } from './strategies/resolver';
import { loadSdk, takeUser } from './strategies/sign-in-sdk';

declare module 'axios' {
  // Type parameters of a merged interface have to repeat those of the original, to the letter.
  // biome-ignore lint/suspicious/noExplicitAny: see above
  interface AxiosRequestConfig<D = any, P = any> {
    /** Send this request as it was written: without credential, with whatever headers it has. */
    skipAuth?: boolean;
  }
}

export interface QelosAuthParts {
  config: AuthConfig;
  selection: Selection;
  store?: CredentialStore | undefined;
  axios?: CreateAxiosDefaults | undefined;
  transport?: Transport | undefined;
  /** Makes another instance for {@link QelosAuth.for}. */
  other?: (config: Partial<AuthConfig>, options: InstanceOptions) => QelosAuth;
  /** What keeps the credential and hears the events, in place of parts of this object's own: a tenant outlives it. */
  tenant?: CredentialSource & { readonly events: Pick<EventHub, 'emit'> };
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
}

/** What of an axios instance's defaults is about the way to a server; the rest may be meant for one server alone. */
const FOR_ANY_INSTANCE = ['timeout', ...CONNECTION] as const;

/**
 * One account on one Qelos instance: an axios instance, a `fetch` and an SDK that share a credential, which is obtained at
 * the first request (or by `signIn()`) and kept fresh from then on.
 */
export class QelosAuth {
  /** Authenticates every request to the instance, whose URL is its `baseURL`; sends others untouched. */
  readonly http: AxiosInstance;
  /** The same pipeline as a `fetch`. */
  readonly fetch: typeof globalThis.fetch;
  /** The strategy in use, for `cli-login` the file that its token is from, and what the ones before it lacked. */
  readonly strategy: { readonly name: string; readonly source?: string; readonly skipped: Selection['skipped'] };
  readonly #manager: CredentialManager | undefined;
  readonly #interceptor: AuthInterceptor;
  readonly #events = new EventHub();
  readonly #url: string;
  readonly #defaults: CreateAxiosDefaults;
  readonly #other: QelosAuthParts['other'];
  /** The instances that `for` made and nobody has closed. */
  readonly #others = new Set<QelosAuth>();
  readonly #sdkCalls: SdkCalls;
  #sdk: QelosAdministratorSDK | undefined;
  #closed = false;
  #onClose: (() => void) | undefined;

  /** Use `createQelosAuth` or `registerQelosAuth`, which choose the strategy and check the configuration. */
  constructor({ config, selection, store, axios: defaults = {}, transport, other, tenant }: QelosAuthParts) {
    const { strategy, skipped } = selection;
    const origin = new Origin(config.url);
    const events = tenant?.events ?? this.#events;
    const connection = transport ? { transport, ...defaults } : defaults;
    this.#url = config.url;
    this.#defaults = defaults;
    this.#other = other;
    const keep = () =>
      new CredentialManager({
        strategy,
        events,
        context: (signal) => ({ signal, http: createBareClient(config.url, origin, signal, connection) }),
        timeoutMs: config.timeoutMs ?? DEFAULT_TIMEOUT_MS,
        // An API token is configured, not obtained: there is nothing to share, and a new one must not lose to a stored one.
        store: strategy instanceof ApiTokenStrategy || strategy instanceof CliLoginStrategy ? undefined : store,
        storeKey: storeKey(config, nameOf(strategy)),
        ...(strategy instanceof ApiTokenStrategy &&
          config.apiTokenFile !== undefined && { isReplaced: (current) => strategy.isReplaced(current) }),
      });
    this.#manager = tenant ? undefined : keep();
    const manager = tenant ?? (this.#manager as CredentialManager);
    this.#interceptor = new AuthInterceptor({ origin, strategy, manager, events, transport });
    const adapter = adapterInNode();
    this.http = axios.create({ ...(adapter && { adapter }), ...defaults, baseURL: config.url });
    this.#interceptor.attach(this.http);
    this.fetch = createFetch(this.http);
    this.#sdkCalls = new SdkCalls({ url: config.url, http: this.http, failure: sdkError });
    const source = strategy instanceof CliLoginStrategy ? strategy.source : undefined;
    this.strategy = { name: nameOf(strategy), ...(source !== undefined && { source }), skipped };
    if (tenant) return;
    if (config.allowInsecureUrl && origin.isPlain) warnOfInsecureUrl();
    // Listeners are added once this constructor is done.
    queueMicrotask(() => events.emit('strategySelected', { strategy: nameOf(strategy), skipped }));
  }

  /**
   * The Qelos administrator SDK on the same pipeline, loaded at first use. Its errors are AxiosErrors with `status`,
   * `response.data` and, as in the SDK, `details`; it never refreshes or sends again by itself.
   */
  get sdk(): QelosAdministratorSDK {
    this.#sdk ??= loadSdk().createQelosSdk(this.#url, this.#sdkCalls);
    return this.#sdk;
  }

  /**
   * Obtains a credential, unless there is one, and asks the instance whose it is. Call it at start-up: what is wrong then
   * comes up at once, and not with the first call.
   *
   * The `timeout` of `http`, if there is one, counts all of it. Signing in goes on then, for whoever asks next.
   *
   * @returns the strategy, the user and, if it is known, when the credential ends
   * @throws AuthError why there is no credential; `ERR_AUTH_UNAVAILABLE` if it took too long
   */
  async signIn(): Promise<{ strategy: string; user: IUser; expiresAt?: Date }> {
    return within(timeoutOf(this.http.defaults), (signal) => this.#signIn(signal), tookTooLong);
  }

  async #signIn(signal: AbortSignal | undefined): Promise<{ strategy: string; user: IUser; expiresAt?: Date }> {
    const credential = await this.#interceptor.credential();
    const user = takeUser(credential) ?? ((await this.#sdkCalls.json('/api/me', { signal: signal ?? null })) as IUser);
    const { expiresAt } = credential;
    return { strategy: this.strategy.name, user, ...(expiresAt && { expiresAt }) };
  }

  /**
   * Authenticates the requests of an axios instance that already exists, where they lead to the Qelos instance. Interceptors
   * that set another `adapter` have to be added after this.
   *
   * @returns the function that detaches it
   */
  attach(instance: AxiosInstance): () => void {
    return this.#interceptor.attach(instance);
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
    if (this.#closed || !this.#other) throw closedError();
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
    this.#manager?.close();
    this.#onClose?.();
    for (const other of this.#others) other.close();
  }
}

function tookTooLong(ms: number): AuthError {
  return new AuthError('ERR_AUTH_UNAVAILABLE', `signIn() took longer than the time-out of ${ms} ms.`, {
    hint: 'Check that QELOS_URL can be reached and that the instance answers, or raise `timeout` in the option `axios`.',
    retryable: true,
  });
}

/**
 * One key for one account of one instance, without the account's name in it. Of a configured session nobody knows the account:
 * the successors of one must not come back once another is configured.
 */
function storeKey({ url, username, workspace, refreshToken, accessToken }: AuthConfig, strategy: string): string {
  const who = strategy === 'session' ? (refreshToken ?? accessToken) : username;
  const account = createHash('sha256')
    .update(JSON.stringify([url, strategy, who, workspace]))
    .digest('hex');
  return `qelos-auth:${strategy}:${account.slice(0, 32)}`;
}

export function warnOfInsecureUrl(): void {
  process.emitWarning('QELOS_URL begins with http:// and allowInsecureUrl is set: credentials travel readable.', {
    type: 'SecurityWarning',
    code: 'QELOS_AUTH_INSECURE_URL',
  });
}
