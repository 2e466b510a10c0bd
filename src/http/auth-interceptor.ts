import { isAnyArrayBuffer } from 'node:util/types';
import axios, {
  type AxiosAdapter,
  AxiosError,
  type AxiosInstance,
  type AxiosResponse,
  CanceledError,
  type InternalAxiosRequestConfig,
  isCancel,
} from 'axios';
import { Credential, headersOf } from '../credentials/credential';
import type { CredentialManager } from '../credentials/credential-manager';
import { toAuthError } from '../credentials/obtain-errors';
import { type ApiRefusal, AuthError, explainRefusal, isRefusedCredential } from '../errors';
import type { EventHub } from '../events';
import type { ApiAnswer, AuthStrategy, OutgoingRequest } from '../strategies/auth-strategy';
import { answerOf, discard } from './answer';
import { exposeError, exposeResponse } from './exposure';
import { type Origin, resolveUrl } from './origin';
import { isRedirect, mostRedirects, redirected, tooManyRedirects } from './redirect';
import type { Transport } from './transport';

/** Credentials that ended again while their request waited are no reason to give up; but there is an end to everything. */
const MOST_RESENDS = 4;

type RequestConfig = InternalAxiosRequestConfig;
type Wrapped = RequestConfig & { [wrapped: symbol]: RequestConfig['adapter'] };
type Headers = RequestConfig['headers'];

/** Where credentials come from, and where it is told how they fared. */
export type CredentialSource = Pick<CredentialManager, 'get' | 'mayHaveEnded' | 'replayed'>;

/** One call of the API on its way, from its first send to its answer. */
interface Exchange {
  /** The request as its caller wrote it; what errors and responses show. */
  readonly config: RequestConfig;
  readonly send: AxiosAdapter;
  /** Monotonic milliseconds at which the call began, if it has a time-out. */
  readonly startedAt: number;
  /** The request as it is sent; another one than `config` once a redirect was followed. */
  request: RequestConfig;
  redirects: number;
  /** How often it was sent once more because its credential was refused. */
  resends: number;
  /** Whether a flight was awaited because this call was refused. */
  renewed: boolean;
}

/**
 * The way of a request: get a credential, put it on a copy of the headers, send, look at the answer.
 *
 * It is a synchronous request interceptor that replaces the adapter by a wrapper around it. So interceptors and transforms
 * of others run once even when a request is sent twice, other adapters (mocks among them) go on working, and where a
 * request really leads is judged when it is sent, after everybody had a chance to change it. The credential never gets
 * into what errors and responses show.
 */
export class AuthInterceptor {
  readonly #origin: Origin;
  readonly #strategy: AuthStrategy;
  readonly #manager: CredentialSource;
  readonly #events: Pick<EventHub, 'emit'>;
  readonly #transport: Transport | undefined;
  /** Where the adapter that ours stands in for waits in the config. One of its own, so that interceptors can be stacked. */
  readonly #wrapped = Symbol('wrapped adapter');
  readonly #adapter: AxiosAdapter = (config) => this.#dispatch(config as Wrapped);
  #sentApiKey = false;
  /** What the refusal of a request that could not be sent again has led to. */
  #renewedForOthers: Credential | undefined;

  /** @param options - `transport`: what axios' http adapter sends with, where a request names nothing else */
  constructor(options: {
    origin: Origin;
    strategy: AuthStrategy;
    manager: CredentialSource;
    events: Pick<EventHub, 'emit'>;
    transport?: Transport | undefined;
  }) {
    this.#origin = options.origin;
    this.#strategy = options.strategy;
    this.#manager = options.manager;
    this.#events = options.events;
    this.#transport = options.transport;
  }

  /** Authenticates an instance's requests to the origin. Returns the function that stops it. */
  attach(instance: AxiosInstance): () => void {
    const id = instance.interceptors.request.use(
      (config) => {
        if (config.adapter !== this.#adapter) {
          (config as Wrapped)[this.#wrapped] = config.adapter;
          config.adapter = this.#adapter;
        }
        return config;
      },
      null,
      { synchronous: true },
    );
    return () => instance.interceptors.request.eject(id);
  }

  /** The credential that the next request would be sent with, once there is one. */
  async credential(): Promise<Credential> {
    try {
      return await this.#manager.get();
    } catch (error) {
      throw error instanceof AuthError ? error.again() : error;
    }
  }

  /** What a refusal of the API means, for the credential that was last sent. */
  explain(answer: { status: number; data: unknown }): ApiRefusal {
    return explainRefusal(answer, this.#sentApiKey);
  }

  #dispatch(config: Wrapped): Promise<AxiosResponse> {
    config.adapter = config[this.#wrapped] ?? (axios.defaults.adapter as AxiosAdapter);
    delete config[this.#wrapped];
    const send = axios.getAdapter(config.adapter, config);
    if (config.skipAuth || !this.#origin.ownsRequest(config)) {
      return send(config).then(
        (response) => exposeResponse(response, config),
        (error) => Promise.reject(exposeError(error, config)),
      );
    }
    const startedAt = config.timeout ? performance.now() : 0;
    const exchange: Exchange = { config, send, startedAt, request: config, redirects: 0, resends: 0, renewed: false };
    const credential = this.#manager.get();
    if (credential instanceof Credential && !this.#strategy.authorize) return this.#send(exchange, credential);
    return this.#sendWhenReady(exchange, credential);
  }

  async #sendWhenReady(exchange: Exchange, credential: Credential | Promise<Credential>): Promise<AxiosResponse> {
    const ready = credential instanceof Credential ? credential : await waitFor(credential, exchange);
    if (!this.#strategy.authorize) return this.#send(exchange, ready);
    const headers = this.#headersFor(exchange.request, undefined);
    await waitFor(this.#authorize(outgoing(exchange.request, headers), ready), exchange);
    return this.#send(exchange, ready, headers);
  }

  async #authorize(request: OutgoingRequest, credential: Credential): Promise<void> {
    try {
      await this.#strategy.authorize?.(request, credential);
    } catch (error) {
      throw toAuthError(error, 'signing of a request', this.#strategy.name);
    }
  }

  /** Sends once. Everything that is put on the request for it is taken back when it settles. */
  #send(exchange: Exchange, credential: Credential, signed?: Headers): Promise<AxiosResponse> {
    const { request, config } = exchange;
    const headers = signed ?? this.#headersFor(request, credential);
    const { headers: own, maxRedirects, proxy, auth, timeout, transport } = request;
    // An adapter of somebody else may keep what it gets (mocks keep a history): it gets an object of its own.
    const outgoing = typeof config.adapter === 'function' ? { ...request } : request;
    outgoing.headers = headers;
    outgoing.maxRedirects = 0;
    if (this.#origin.isPlain) outgoing.proxy = false; // a proxy would read the credential
    if (auth) delete outgoing.auth; // it would take the place of the credential
    if (timeout) outgoing.timeout = remaining(exchange);
    if (this.#transport) outgoing.transport = transport ?? this.#transport; // it follows no redirect: nor does this

    const restore = () => {
      if (outgoing !== request) return;
      request.headers = own;
      if (maxRedirects === undefined) delete request.maxRedirects;
      else request.maxRedirects = maxRedirects;
      if (proxy !== undefined) request.proxy = proxy;
      else if (request.proxy === false) delete request.proxy;
      if (auth) request.auth = auth;
      if (timeout) request.timeout = timeout;
      if (this.#transport && transport === undefined) delete request.transport;
    };
    const fail = (error: unknown) => {
      restore();
      const response = responseOf(error);
      if (response) return this.#settle(exchange, credential, response, error as Error);
      throw exposeError(error, config, credential);
    };
    let sent: Promise<AxiosResponse>;
    try {
      sent = exchange.send(outgoing);
    } catch (error) {
      return Promise.resolve(error).then(fail);
    }
    return sent.then((response) => {
      restore();
      if (response.status < 300 && exchange.resends === 0 && exchange.redirects === 0) {
        return exposeResponse(response, config, credential);
      }
      return this.#settle(exchange, credential, response);
    }, fail);
  }

  /** Looks at an answer that is not plainly good: follows it, sends again, or hands it out. */
  async #settle(
    exchange: Exchange,
    credential: Credential,
    response: AxiosResponse,
    error?: Error,
  ): Promise<AxiosResponse> {
    const { config, request } = exchange;
    const most = mostRedirects(config);
    if (most > 0 && isRedirect(response)) {
      discard(response);
      if (++exchange.redirects > most) throw tooManyRedirects(most, response.status);
      exchange.request = redirected(request, response, this.#origin, isReplayable(request.data));
      return this.#sendWhenReady(exchange, this.#manager.get());
    }
    let refusal: ApiRefusal | undefined;
    if (response.status >= 400 && (this.#strategy.isRejected || response.status === 401 || response.status === 403)) {
      const answer = await answerOf(response);
      const next = this.#isRejected(answer) ? await this.#successor(exchange, credential) : undefined;
      if (next) {
        exchange.resends++;
        discard(response);
        this.#events.emit('requestRetried', () => ({
          method: (request.method ?? 'get').toUpperCase(),
          path: new URL(resolveUrl(request)).pathname,
          status: response.status,
        }));
        return this.#sendWhenReady(exchange, next);
      }
      if (answer.status === 401 || answer.status === 403)
        refusal = explainRefusal(answer, 'x-api-key' in headersOf(credential));
    } else if (exchange.renewed) {
      this.#manager.replayed(credential, true);
    }
    const url = request === config ? undefined : request.url;
    if (!error) return exposeResponse(response, config, credential, url);
    throw Object.assign(exposeError(error, config, credential, url), refusal);
  }

  #isRejected(answer: ApiAnswer): boolean {
    return this.#strategy.isRejected?.(answer) ?? isRefusedCredential(answer);
  }

  /** The credential to send a refused request with once more; undefined if the refusal is its answer. */
  async #successor(exchange: Exchange, rejected: Credential): Promise<Credential | undefined> {
    if (exchange.resends > 0) {
      if (exchange.renewed) this.#manager.replayed(rejected, false);
      if (exchange.resends >= MOST_RESENDS || !this.#manager.mayHaveEnded(rejected)) return undefined;
    }
    if (!isReplayable(exchange.request.data)) {
      this.#renewForOthers(rejected);
      return undefined;
    }
    const next = this.#manager.get(rejected);
    exchange.renewed = !(next instanceof Credential);
    const successor = next instanceof Credential ? next : await waitFor(next, exchange);
    return successor === rejected ? undefined : successor;
  }

  /**
   * A request that cannot be sent again still tells that its credential is no longer good: the next call finds a new one.
   * If that is refused in the same way, the credential was not what was wrong.
   */
  #renewForOthers(rejected: Credential): void {
    if (rejected === this.#renewedForOthers) this.#manager.replayed(rejected, false);
    const next = this.#manager.get(rejected);
    if (next instanceof Credential) return;
    next.then(
      (credential) => {
        this.#renewedForOthers = credential;
      },
      () => {}, // remembered and told by the manager
    );
  }

  /**
   * The headers to send: the caller's without any that the server would take for a credential (recorded: it looks at
   * `x-api-key`, then cookies, then `authorization`, and does not fall back), and with the credential's.
   */
  #headersFor({ headers: own }: RequestConfig, credential: Credential | undefined): Headers {
    const headers: Headers = Object.create(Object.getPrototypeOf(own));
    for (const name of Object.keys(own)) {
      switch (name.length) {
        case 4:
          if (name.toLowerCase() === 'host') this.#checkHost(own[name]);
          break;
        case 6:
          if (name.toLowerCase() === 'cookie') continue;
          break;
        case 9:
          if (name.toLowerCase() === 'x-api-key') continue;
          break;
        case 13:
          if (name.toLowerCase() === 'authorization') continue;
          break;
      }
      headers[name] = own[name];
    }
    if (!credential) return headers;
    const secrets = headersOf(credential);
    this.#sentApiKey = 'x-api-key' in secrets;
    for (const name in secrets) {
      if (name === 'x-api-key' || name === 'authorization' || name === 'cookie') headers[name] = secrets[name];
      else headers.set(name, secrets[name] as string); // takes the place of one in other letter case
    }
    return headers;
  }

  /** Qelos tells its tenants apart by this header: another one sends the credential to somebody else. */
  #checkHost(value: unknown): void {
    if (value === false || value === null || value === undefined) return;
    if (String(value).toLowerCase() === this.#origin.host) return;
    throw new AuthError('ERR_AUTH_INSECURE_URL', `A request has a Host header that is not ${this.#origin.host}.`, {
      hint: 'Remove the header: the credential is for the host of QELOS_URL alone. For another host, send the request with skipAuth: true.',
    });
  }
}

/** The answer that an error tells of, also one of an adapter that makes errors of its own. */
function responseOf(error: unknown): AxiosResponse | undefined {
  const response = (error as { response?: AxiosResponse } | undefined)?.response;
  return error instanceof Error && typeof response?.status === 'number' ? response : undefined;
}

/** Whether a body, as transforms leave it, can be sent a second time. A stream is empty by then. */
function isReplayable(data: unknown): boolean {
  return (
    data === undefined ||
    data === null ||
    typeof data === 'string' ||
    isAnyArrayBuffer(data) ||
    ArrayBuffer.isView(data) ||
    data instanceof URLSearchParams ||
    data instanceof Blob ||
    data instanceof FormData
  );
}

/** What is left of the call's time-out, in whole milliseconds; at least one, as axios takes 0 for none. */
function remaining({ config, startedAt }: Exchange): number {
  return Math.max(1, Math.round(Number(config.timeout) - (performance.now() - startedAt)));
}

/** What axios' own adapters use of a cancel token, and its types do not name. */
interface CancelSubscription {
  subscribe(listener: (reason: unknown) => void): void;
  unsubscribe(listener: (reason: unknown) => void): void;
}

/** Waits for a credential, or its signature, as long as the call may take and its caller wants it. */
function waitFor<T>(promise: Promise<T>, exchange: Exchange): Promise<T> {
  const { config } = exchange;
  const { signal } = config;
  const cancelToken = config.cancelToken as CancelSubscription | undefined;
  return new Promise((resolve, reject) => {
    const cancel = (reason: unknown) =>
      end(() => reject(isCancel(reason) ? reason : new CanceledError(undefined, config)));
    const timer = config.timeout
      ? setTimeout(() => end(() => reject(timedOut(config))), remaining(exchange))
      : undefined;
    const end = (settle: () => void) => {
      clearTimeout(timer);
      signal?.removeEventListener?.('abort', cancel);
      cancelToken?.unsubscribe(cancel);
      settle();
    };
    // First of all: a flight that fails when nobody waits any more must not be an unhandled rejection.
    promise.then(
      (ready) => end(() => resolve(ready)),
      (error) => end(() => reject(error instanceof AuthError ? error.again() : error)),
    );
    if (signal?.aborted) return cancel(undefined);
    signal?.addEventListener?.('abort', cancel);
    cancelToken?.subscribe(cancel);
  });
}

function timedOut(config: RequestConfig): AxiosError {
  const message =
    config.timeoutErrorMessage ?? `timeout of ${config.timeout}ms exceeded while waiting for a credential`;
  const code = config.transitional?.clarifyTimeoutError ? AxiosError.ETIMEDOUT : AxiosError.ECONNABORTED;
  return new AxiosError(message, code, config);
}

/** A request as a strategy's `authorize` sees it. */
function outgoing(request: RequestConfig, headers: Headers): OutgoingRequest {
  return {
    method: (request.method ?? 'get').toUpperCase(),
    url: resolveUrl(request),
    headers: {
      get: (name: string) => headers.get(name)?.toString(),
      set: (name: string, value: string) => void headers.set(name, value),
      delete: (name: string) => void headers.delete(name),
    },
    body: request.data,
  };
}
