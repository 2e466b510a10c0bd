import type { AxiosAdapter, AxiosInstance, AxiosResponse } from 'axios';
import { AuthError } from '../contract/auth-error';
import type { ApiAnswer, OutgoingRequest, StrategyObject } from '../contract/auth-strategy';
import { Credential, headersOf } from '../contract/credential';
import type { CredentialManager } from '../credentials/credential-manager';
import { nameOf, toAuthError } from '../credentials/obtain-errors';
import type { EventHub } from '../events';
import { explainRefusal, isRefusedCredential } from '../qelos/refusal';
import { explainAnswer } from './answer';
import { axiosOf } from './axios';
import { credentialHeaders } from './credential-headers';
import { copyOf, Exchange, type Outcome, type RequestConfig, sendUntouched } from './exchange';
import { answerIn } from './exposure';
import { type Origin, resolveUrl, wireUrl } from './origin';
import { isRedirect, mostRedirects, redirected, tooManyRedirects } from './redirect';
import { connectTo, sealAgents } from './sealed-agent';
import type { Transport } from './transport';
import { isReplayable } from './upload';

/** Credentials that ended again while their request waited are no reason to give up; but there is an end to everything. */
const MOST_RESENDS = 4;

type Wrapped = RequestConfig & { [wrapped: symbol]: RequestConfig['adapter'] };
type Headers = RequestConfig['headers'];

/** What came back for one send with a credential. */
interface Attempt extends Outcome {
  readonly credential: Credential;
}

/** Where credentials come from, and where it is told how they fared. */
export type CredentialSource = Pick<CredentialManager, 'get' | 'mayHaveEnded' | 'replayed'>;

/**
 * The way of a request: get a credential, put it on a copy, send, look at the answer.
 *
 * It is a synchronous request interceptor that replaces the adapter by a wrapper around it. So interceptors and transforms
 * of others run once even when a request is sent twice, other adapters (mocks among them) go on working, and where a
 * request really leads is judged when it is sent, after everybody had a chance to change it. The caller's request is never
 * changed: the credential is on the copy alone.
 */
export class AuthInterceptor {
  readonly #origin: Origin;
  readonly #strategy: StrategyObject;
  readonly #manager: CredentialSource;
  readonly #events: Pick<EventHub, 'emit'>;
  readonly #transport: Transport | undefined;
  /** Where the adapter that ours stands in for waits in the config. One of its own, so that interceptors can be stacked. */
  readonly #wrapped = Symbol('wrapped adapter');
  readonly #adapter: AxiosAdapter = (config) => this.#dispatch(config as Wrapped);
  /** What the refusal of a request that could not be sent again has led to. */
  #renewedForOthers: Credential | undefined;

  /** @param options - `transport`: what axios' http adapter sends with, where a request names nothing else */
  constructor(options: {
    origin: Origin;
    strategy: StrategyObject;
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
    const unseal = sealAgents(instance.defaults);
    const id = instance.interceptors.request.use(
      (config) => {
        sealAgents(config); // an interceptor may have set one
        if (config.adapter !== this.#adapter) {
          (config as Wrapped)[this.#wrapped] = config.adapter;
          config.adapter = this.#adapter;
        }
        return config;
      },
      null,
      {
        synchronous: true,
        // axios asks this before the first interceptor runs, and ours runs last: nobody shall see the agents of a call.
        runWhen(config) {
          sealAgents(config);
          return true;
        },
      },
    );
    return () => {
      instance.interceptors.request.eject(id);
      unseal();
    };
  }

  /** The credential that the next request would be sent with, once there is one. */
  async credential(): Promise<Credential> {
    try {
      return await this.#manager.get();
    } catch (error) {
      throw error instanceof AuthError ? error.again() : error;
    }
  }

  #dispatch(config: Wrapped): Promise<AxiosResponse> {
    const axios = axiosOf(config);
    config.adapter = config[this.#wrapped] ?? (axios.defaults.adapter as AxiosAdapter);
    delete config[this.#wrapped];
    const send = axios.getAdapter(config.adapter, config);
    if (config.skipAuth || !this.#origin.ownsRequest(config)) return sendUntouched(config, send);
    const exchange = new Exchange(config, send);
    const credential = this.#manager.get();
    if (!(credential instanceof Credential) || this.#strategy.authorize) return this.#begin(exchange, credential);
    return this.#send(exchange, credential).then(
      (response) =>
        response.status < 300 ? exchange.settle({ response }) : this.#goOn(exchange, { credential, response }),
      (error) => this.#goOn(exchange, failed(credential, error)),
    );
  }

  async #begin(exchange: Exchange, credential: Credential | Promise<Credential>): Promise<AxiosResponse> {
    let attempt: Attempt;
    try {
      attempt = await this.#attempt(exchange, credential);
    } catch (error) {
      throw exchange.fail(error);
    }
    return this.#goOn(exchange, attempt);
  }

  /** Sends again, as long as the outcome asks for it, and hands out the last one. */
  async #goOn(exchange: Exchange, first: Attempt): Promise<AxiosResponse> {
    let last = first;
    try {
      for (;;) {
        const next = await this.#next(exchange, last);
        if (!next) break;
        last = await this.#attempt(exchange, next);
      }
    } catch (error) {
      throw exchange.fail(error);
    }
    return exchange.settle(last);
  }

  /** Sends once, when there is a credential. Does not fail where the adapter does: its error may tell of an answer. */
  async #attempt(exchange: Exchange, credential: Credential | Promise<Credential>): Promise<Attempt> {
    const ready = credential instanceof Credential ? credential : await this.#arrived(exchange, credential);
    const signed = this.#strategy.authorize && (await this.#signed(exchange, ready));
    try {
      return { credential: ready, response: await this.#send(exchange, ready, signed) };
    } catch (error) {
      return failed(ready, error);
    }
  }

  async #arrived(exchange: Exchange, credential: Promise<Credential>): Promise<Credential> {
    try {
      return await exchange.waitFor(credential);
    } catch (error) {
      throw error instanceof AuthError ? error.again() : error; // it is one for all who wait
    }
  }

  /** Headers that the strategy has put the credential on by itself. */
  async #signed(exchange: Exchange, credential: Credential): Promise<Headers> {
    const { request } = exchange;
    const headers = credentialHeaders(request.headers, this.#origin, undefined);
    const signing = async () => this.#strategy.authorize?.(outgoing(request, headers), credential);
    await exchange.waitFor(
      signing().catch((error) => Promise.reject(toAuthError(error, 'signing of a request', nameOf(this.#strategy)))),
    );
    return headers;
  }

  #send(exchange: Exchange, credential: Credential, signed?: Headers): Promise<AxiosResponse> {
    try {
      const { request } = exchange;
      const copy = copyOf(request);
      copy.headers = signed ?? credentialHeaders(request.headers, this.#origin, credential);
      copy.maxRedirects = 0; // they are followed here
      connectTo(this.#origin, copy);
      if (copy.auth) delete copy.auth; // it would take the place of the credential
      if (this.#transport) copy.transport ??= this.#transport; // it follows no redirect: nor does this
      return exchange.transmit(copy, credential);
    } catch (error) {
      return Promise.reject(error);
    }
  }

  /** What to send the request with once more; undefined: the outcome is the caller's. */
  async #next(exchange: Exchange, last: Attempt): Promise<Credential | Promise<Credential> | undefined> {
    const { config, request } = exchange;
    const { credential, response } = last;
    if (!response) return undefined;
    const most = mostRedirects(config);
    if (most > 0 && isRedirect(response)) {
      exchange.discard(response);
      if (++exchange.redirects > most) throw tooManyRedirects(most, response.status);
      exchange.request = redirected(request, response, this.#origin, isReplayable(request.data));
      return this.#manager.get();
    }
    const { status } = response;
    const isRefusal = status === 401 || status === 403;
    const mayBeRejected = isRefusal || (status >= 400 && this.#strategy.isRejected !== undefined);
    const answer = mayBeRejected ? await exchange.read(response) : undefined;
    const refusal = answer && isRefusal ? explainRefusal(answer, 'x-api-key' in headersOf(credential)) : undefined;
    if (refusal) explainAnswer(response, refusal);
    let next: Credential | undefined;
    if (answer && this.#isRejected(answer)) next = await this.#successor(exchange, credential, response);
    else if (exchange.renewed) this.#manager.replayed(credential, true);
    if (next) this.#events.emit('requestRetried', () => ({ ...routeOf(exchange.request), status }));
    else if (refusal) {
      this.#events.emit('requestRefused', () => ({ ...routeOf(exchange.request), status, authCode: refusal.authCode }));
    }
    return next;
  }

  /** Whether the answer means that the credential was refused. A strategy that fails to say so has not said it. */
  #isRejected(answer: ApiAnswer): boolean {
    if (!this.#strategy.isRejected) return isRefusedCredential(answer);
    try {
      const says: unknown = this.#strategy.isRejected(answer);
      if (says instanceof Promise) says.catch(() => {}); // its answer would come too late
      return says === true;
    } catch {
      return false;
    }
  }

  /** The credential to send a refused request with once more; undefined if the refusal is its answer. */
  async #successor(exchange: Exchange, rejected: Credential, response: AxiosResponse): Promise<Credential | undefined> {
    if (exchange.resends > 0) {
      if (exchange.renewed) this.#manager.replayed(rejected, false);
      if (exchange.resends >= MOST_RESENDS || !this.#manager.mayHaveEnded(rejected)) return undefined;
    }
    const canResend = isReplayable(exchange.request.data);
    if (!canResend && rejected === this.#renewedForOthers) this.#manager.replayed(rejected, false);
    const next = this.#manager.get(rejected);
    if (next === rejected) return undefined;
    exchange.discard(response); // its connection may be the only one there is, and the renewal needs it
    if (!canResend) {
      this.#renewForOthers(next);
      return undefined;
    }
    exchange.renewed = !(next instanceof Credential);
    const successor = next instanceof Credential ? next : await this.#arrived(exchange, next);
    if (successor === rejected) return undefined;
    exchange.resends++;
    return successor;
  }

  /**
   * A request that cannot be sent again still tells that its credential is no longer good: the next call finds a new one.
   * If that is refused in the same way, the credential was not what was wrong.
   */
  #renewForOthers(next: Credential | Promise<Credential>): void {
    if (next instanceof Credential) return;
    next.then(
      (credential) => {
        this.#renewedForOthers = credential;
      },
      () => {}, // remembered and told by the manager
    );
  }
}

/** A failed send, with the answer if its error tells of one. */
function failed(credential: Credential, error: unknown): Attempt {
  return { credential, response: answerIn(error), failure: { error } };
}

/** What an event says of a request. */
function routeOf(request: RequestConfig): { method: string; path: string } {
  return { method: (request.method ?? 'get').toUpperCase(), path: new URL(resolveUrl(request)).pathname };
}

/** A request as a strategy's `authorize` sees it. */
function outgoing(request: RequestConfig, headers: Headers): OutgoingRequest {
  return {
    method: (request.method ?? 'get').toUpperCase(),
    url: wireUrl(request),
    headers: {
      get: (name: string) => headers.get(name)?.toString(),
      set: (name: string, value: string) => void headers.set(name, value),
      delete: (name: string) => void headers.delete(name),
    },
    body: request.data,
  };
}
