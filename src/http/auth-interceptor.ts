import type { AxiosAdapter, AxiosInstance, AxiosResponse } from 'axios';
import { AuthError } from '../contract/auth-error';
import type { StrategyObject } from '../contract/auth-strategy';
import { Credential } from '../contract/credential';
import type { EventHub } from '../events';
import { explainAnswer, refusalOf } from './answer';
import { axiosOf } from './axios';
import { type CredentialSource, isKnown, noteKnown } from './credential-check';
import { credentialHeaders, type FixedHeaders, withFixed } from './credential-headers';
import { copyOf, Exchange, type Outcome, type RequestConfig, sendUntouched } from './exchange';
import { answerIn } from './exposure';
import type { Origin } from './origin';
import { isRedirect, mostRedirects, redirected, tooManyRedirects } from './redirect';
import { type InterceptorOptions, RefusalJudge } from './refusal-judge';
import { connectTo, sealAgents } from './sealed-agent';
import { signedHeaders } from './signing';
import type { Transport } from './transport';
import { isReplayable } from './upload';

/** Credentials that ended again while their request waited are no reason to give up; but there is an end to everything. */
const MOST_RESENDS = 4;
/** A replica of the server's database may not know a new credential yet: so long to wait before each time it is sent again. */
const LAG_PAUSES_MS: readonly number[] = [300, 1_000];
/** Longer than this no replica lags behind. */
const MOST_LAG_MS = 10_000;

type Wrapped = RequestConfig & { [wrapped: symbol]: RequestConfig['adapter'] };
type Headers = RequestConfig['headers'];

/** What came back for one send with a credential. */
interface Attempt extends Outcome {
  readonly credential: Credential;
}

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
  readonly #judge: RefusalJudge;
  readonly #fixed: FixedHeaders | undefined;
  /** Where the adapter that ours stands in for waits in the config. One of its own, so that interceptors can be stacked. */
  readonly #wrapped = Symbol('wrapped adapter');
  readonly #adapter: AxiosAdapter = (config) => this.#dispatch(config as Wrapped);
  /** What the refusal of a request that could not be sent again has led to. */
  #renewedForOthers: Credential | undefined;

  constructor(options: InterceptorOptions) {
    this.#fixed = options.headers;
    this.#origin = options.origin;
    this.#strategy = options.strategy;
    this.#manager = options.source;
    this.#judge = new RefusalJudge(options);
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
      (response) => {
        if (response.status >= 300) return this.#goOn(exchange, { credential, response });
        noteKnown(this.#manager, credential);
        return exchange.settle({ response });
      },
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
    const refusal = last.response && refusalOf(last.response);
    if (refusal) {
      const { status } = last.response as AxiosResponse;
      this.#events.emit('requestRefused', () => ({ ...exchange.route, status, authCode: refusal.authCode }));
    }
    return exchange.settle(last);
  }

  /** Sends once, when there is a credential. Does not fail where the adapter does: its error may tell of an answer. */
  async #attempt(exchange: Exchange, credential: Credential | Promise<Credential>): Promise<Attempt> {
    const ready = credential instanceof Credential ? credential : await this.#arrived(exchange, credential);
    const signed =
      this.#strategy.authorize &&
      (await exchange.waitFor(
        signedHeaders(withFixed(exchange.request, this.#fixed), ready, this.#strategy, this.#origin),
      ));
    try {
      return { credential: ready, response: await this.#send(exchange, ready, signed) };
    } catch (error) {
      return failed(ready, error);
    }
  }

  async #arrived(exchange: Exchange, credential: Promise<Credential>): Promise<Credential> {
    try {
      exchange.waited = true;
      return await exchange.waitFor(credential);
    } catch (error) {
      throw error instanceof AuthError ? error.again() : error; // it is one for all who wait
    }
  }

  #send(exchange: Exchange, credential: Credential, signed?: Headers): Promise<AxiosResponse> {
    try {
      const request = withFixed(exchange.request, this.#fixed);
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
    const verdict = await this.#judge.of(exchange, credential, response);
    if (verdict === 'refused') return this.#successor(exchange, credential, response);
    if (verdict === 'untold') return undefined;
    noteKnown(this.#manager, credential);
    if (exchange.renewed) this.#manager.replayed(credential, true);
    return verdict === 'unseen' ? this.#again(exchange, credential, response) : undefined;
  }

  /**
   * The same credential, for one more time: it is good, and the gateway, too slow to be told so, may have passed the call on as
   * anonymous.
   */
  #again(exchange: Exchange, credential: Credential, response: AxiosResponse): Credential | undefined {
    if (exchange.resends > 0 || !isReplayable(exchange.request.data)) return undefined;
    exchange.discard(response);
    this.#resent(exchange, response);
    return credential;
  }

  /** The credential to send a refused request with once more; undefined if the refusal is its answer. */
  async #successor(exchange: Exchange, rejected: Credential, response: AxiosResponse): Promise<Credential | undefined> {
    const canResend = isReplayable(exchange.request.data);
    if (canResend && (await this.#isUnknownYet(exchange, rejected, response))) {
      exchange.discard(response);
      this.#resent(exchange, response);
      return rejected;
    }
    // Not after pauses alone: one that a call has found at hand may have ended, young as it is.
    if (exchange.resends > exchange.pauses || (exchange.pauses > 0 && exchange.waited)) {
      if (exchange.renewed) this.#manager.replayed(rejected, false);
      if (exchange.resends >= MOST_RESENDS || !this.#manager.mayHaveEnded(rejected)) return undefined;
    }
    if (!canResend && rejected === this.#renewedForOthers) this.#manager.replayed(rejected, false);
    const next = this.#manager.get(rejected);
    if (next === rejected) return undefined;
    const isKept = exchange.keep(response);
    if (!canResend) {
      this.#renewForOthers(next);
      return undefined;
    }
    exchange.renewed = !(next instanceof Credential);
    let successor: Credential;
    try {
      successor = next instanceof Credential ? next : await this.#arrived(exchange, next);
    } catch (error) {
      if (!isKept || !(error instanceof AuthError) || error.code !== 'ERR_AUTH_TOKEN_REFUSED') throw error;
      // The API has said the same already: its answer stays, with the strategy's word on where a new token belongs.
      explainAnswer(response, { authCode: error.code, hint: error.hint });
      return undefined;
    }
    if (successor === rejected) return undefined;
    this.#resent(exchange, response);
    return successor;
  }

  /**
   * Waits a moment where a credential that was only just obtained is refused by the auth service too, twice at most: a replica of
   * its database may lag behind. Another renewal would bring one that is just as new.
   */
  async #isUnknownYet(exchange: Exchange, rejected: Credential, response: AxiosResponse): Promise<boolean> {
    const isOld = Date.now() - rejected.obtainedAt.getTime() > MOST_LAG_MS;
    if (isOld || isKnown(this.#manager, rejected) || this.#manager.mayHaveEnded(rejected)) return false;
    const pause = LAG_PAUSES_MS[exchange.pauses];
    if (pause === undefined || (await this.#judge.standing(exchange, rejected, response)) !== 'refused') {
      noteKnown(this.#manager, rejected);
      return false;
    }
    exchange.pauses++;
    await exchange.pause(pause * (0.75 + Math.random() / 2));
    return true;
  }

  #resent(exchange: Exchange, { status }: AxiosResponse): void {
    exchange.resends++;
    this.#events.emit('requestRetried', () => ({ ...exchange.route, status }));
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
