import {
  type AxiosAdapter,
  AxiosError,
  type AxiosResponse,
  CanceledError,
  type InternalAxiosRequestConfig,
  isCancel,
} from 'axios';
import type { Credential } from '../credentials/credential';
import type { ApiAnswer } from '../strategies/auth-strategy';
import { answerOf, discard, refusalOf } from './answer';
import { answerIn, exposeError, exposeResponse, type SentCall } from './exposure';
import { normalUrl, resolveUrl } from './origin';
import { isOwnedStream } from './owned-stream';
import { unsealed } from './sealed-agent';
import { uploadOf } from './upload';

export type RequestConfig = InternalAxiosRequestConfig;

/** The longest time that Node's timers can count: a longer one would end at once. */
const MOST_TIMEOUT_MS = 2 ** 31 - 1;

/** What came back for one send: an answer, a failure, or an answer that axios counts as a failure. */
export interface Outcome {
  readonly response?: AxiosResponse | undefined;
  readonly failure?: { readonly error: unknown } | undefined;
}

/** In a request's config: an event stream may be silent for as long as its reader likes. */
export const silentEventStreams: unique symbol = Symbol('silent event streams');

/** One call of the API on its way: from the moment it is made to that at which its caller gets an answer or an error. */
export class Exchange implements SentCall {
  /** The request as its caller wrote it; what errors and responses show. Never changed. */
  readonly config: RequestConfig;
  readonly send: AxiosAdapter;
  /** The request as it is to be sent; another one than `config` once a redirect was followed. */
  request: RequestConfig;
  redirects = 0;
  /** How often it was sent once more because its credential was refused. */
  resends = 0;
  /** Whether a flight was awaited because this call was refused, and it is not known yet whether that has helped. */
  renewed = false;
  /** The copy that was sent last, and the credential on it. */
  sent: RequestConfig | undefined;
  credential: Credential | undefined;
  readonly #limits: Limits | undefined;

  constructor(config: RequestConfig, send: AxiosAdapter) {
    this.config = config;
    this.send = send;
    this.request = config;
    if (config.timeout || config.signal || config.cancelToken) this.#limits = new Limits(config);
  }

  /** Where the answer came from, if redirects led to another place than the config says. */
  get url(): string | undefined {
    return this.request === this.config ? undefined : this.request.url;
  }

  /** Sends a copy, as long as the call may take and its caller wants it. */
  transmit(copy: RequestConfig, credential: Credential): Promise<AxiosResponse> {
    this.sent = copy;
    this.credential = credential;
    const limits = this.#limits;
    if (!limits) return this.send(copy);
    limits.imposeOn(copy);
    return limits.until(this.send(copy), discard);
  }

  /** Waits for a credential, or its signature, as long as the call may take and its caller wants it. */
  waitFor<T>(promise: Promise<T>): Promise<T> {
    return this.#limits?.until(promise, undefined, ' while waiting for a credential') ?? promise;
  }

  /** What a refusal says. A part of the time-out is left for what follows from it. */
  read(response: AxiosResponse): Promise<ApiAnswer> {
    const limits = this.#limits;
    if (!limits) return answerOf(response);
    return limits.until(answerOf(response, limits.timeoutMs > 0 ? limits.timeoutMs / 4 : undefined));
  }

  /**
   * Gives the outcome to the caller.
   *
   * @throws what the request failed with
   */
  settle({ response, failure }: Outcome): AxiosResponse {
    if (failure || !response) throw this.fail(failure?.error);
    if (!exposeResponse(response, this)) this.release();
    return response;
  }

  /** What the caller gets to see of a failure. */
  fail(error: unknown): unknown {
    const shown = exposeError(error, this);
    const response = answerIn(shown);
    if (!isOwnedStream(response?.data)) this.release();
    return response ? Object.assign(shown as Error, refusalOf(response)) : shown;
  }

  idleMsOf(response: AxiosResponse): number {
    return this.#limits ? idleMsOf(response, this.config, this.#limits.timeoutMs) : 0;
  }

  idleError(): Error {
    return timedOut(this.config);
  }

  expose(error: unknown): Error {
    return exposeError(error, this) as Error;
  }

  onEnd(fail: (reason: Error) => void): void {
    this.#limits?.watchStream(fail);
  }

  giveUp(): void {
    this.#limits?.abort();
  }

  release(): void {
    this.#limits?.release();
  }
}

/**
 * Sends a request that is none of ours as it was written. Only what comes out is changed, as it may lead to other requests:
 * those on the same agent.
 */
export async function sendUntouched(config: RequestConfig, send: AxiosAdapter): Promise<AxiosResponse> {
  const sent = copyOf(config);
  const call = { config, sent, credential: undefined, url: undefined as string | undefined, ...unlimited(config) };
  try {
    const response = await send(sent);
    call.url = redirectedTo(response, config);
    exposeResponse(response, call);
    return response;
  } catch (error) {
    call.url = redirectedTo(answerIn(error), config);
    throw exposeError(error, call);
  }
}

/** How many milliseconds the server may be silent in the stream of an answer; 0: as long as it likes. */
function idleMsOf({ headers }: AxiosResponse, config: RequestConfig, timeoutMs: number): number {
  const isEventStream = String(headers?.['content-type'] ?? '').startsWith('text/event-stream');
  return isEventStream && silentEventStreams in config ? 0 : timeoutMs;
}

/** The terms of a stream that its adapter watches by itself; axios' does so only where it may follow redirects. */
function unlimited(config: RequestConfig) {
  return {
    idleMsOf: (response: AxiosResponse) =>
      config.maxRedirects === 0 ? idleMsOf(response, config, timeoutOf(config)) : 0,
    idleError: () => timedOut(config),
    expose(this: SentCall, error: unknown) {
      return exposeError(error, this) as Error;
    },
    onEnd: () => {},
    giveUp: () => {},
    release: () => {},
  };
}

/** Where an answer came from, as far as axios' http adapter knows, if redirects led there. */
function redirectedTo(response: AxiosResponse | undefined, config: RequestConfig): string | undefined {
  const url: unknown = response?.request?.res?.responseUrl;
  if (typeof url !== 'string' || normalUrl(url) === normalUrl(resolveUrl(config))) return undefined;
  return url;
}

/**
 * A copy of a request to be sent: what is put on it stays unseen. It has the agents themselves and not their stand-ins, and
 * a stand-in for a stream.
 */
export function copyOf(request: RequestConfig): RequestConfig {
  const copy = {} as Record<PropertyKey, unknown>;
  // Half as dear as spreading what axios makes; measured in tests/http/cost.test.ts.
  for (const name in request) if (Object.hasOwn(request, name)) copy[name] = request[name as keyof RequestConfig];
  for (const name of Object.getOwnPropertySymbols(request)) copy[name] = Reflect.get(request, name);
  if (request.httpAgent) copy['httpAgent'] = unsealed(request.httpAgent);
  if (request.httpsAgent) copy['httpsAgent'] = unsealed(request.httpsAgent);
  if (request.data) copy['data'] = uploadOf(request.data);
  return copy as unknown as RequestConfig;
}

/** What axios' own adapters use of a cancel token, and its types do not name. */
interface CancelSubscription {
  subscribe(listener: (reason: unknown) => void): void;
  unsubscribe(listener: (reason: unknown) => void): void;
}

/**
 * What ends a call before its answer has come: one time-out for all of it, its signal, its cancel token. Adapters get it as
 * one signal; nobody waits longer for an adapter that does not obey.
 */
class Limits {
  /** 0: none that we could count; what axios cannot read as a number of milliseconds it says by itself. */
  readonly timeoutMs: number;
  readonly #config: RequestConfig;
  readonly #abort = new AbortController();
  readonly #timer: NodeJS.Timeout | undefined;
  #reason: Error | undefined;
  /** What is being done, for the message of the time-out. */
  #doing = '';
  /** Ends what is being waited for; never more than one thing at a time. */
  #fail: ((reason: Error) => void) | undefined;

  constructor(config: RequestConfig) {
    this.#config = config;
    this.timeoutMs = timeoutOf(config);
    if (this.timeoutMs > 0) this.#timer = setTimeout(() => this.#end(timedOut(config, this.#doing)), this.timeoutMs);
    const { signal } = config;
    if (signal?.aborted) this.#cancel(undefined);
    else signal?.addEventListener?.('abort', this.#cancel);
    (config.cancelToken as CancelSubscription | undefined)?.subscribe(this.#cancel);
  }

  /** Has the adapter end with this; the time-out is counted here alone. */
  imposeOn(copy: RequestConfig): void {
    copy.signal = this.#abort.signal;
    copy.cancelToken = undefined;
    if (this.timeoutMs > 0) copy.timeout = 0;
  }

  /** @param tooLate - gets what comes when it is no longer waited for */
  until<T>(promise: Promise<T>, tooLate: (result: T) => void = () => {}, doing = ''): Promise<T> {
    return new Promise((resolve, reject) => {
      let isWaiting = true;
      const stop = () => {
        isWaiting = false;
        this.#fail = undefined;
      };
      promise.then(
        (result) => {
          if (!isWaiting) return tooLate(result);
          stop();
          resolve(result);
        },
        (error) => {
          if (isWaiting) stop();
          reject(error);
        },
      );
      this.#doing = doing;
      this.#fail = (reason) => {
        stop();
        reject(reason);
      };
      if (this.#reason) this.#fail(this.#reason);
    });
  }

  /** The answer has begun, and its stream takes as long as its reader likes; signal and cancel token go on to count. */
  watchStream(fail: (reason: Error) => void): void {
    clearTimeout(this.#timer);
    this.#fail = fail;
    if (this.#reason) fail(this.#reason);
  }

  abort(): void {
    this.#abort.abort(); // without a reason: adapters write on it what they know
  }

  release(): void {
    clearTimeout(this.#timer);
    this.#fail = undefined;
    this.#config.signal?.removeEventListener?.('abort', this.#cancel);
    (this.#config.cancelToken as CancelSubscription | undefined)?.unsubscribe(this.#cancel);
  }

  readonly #cancel = (reason: unknown): void => {
    this.#end(isCancel(reason) ? (reason as Error) : new CanceledError(undefined, this.#config));
  };

  #end(reason: Error): void {
    this.#reason ??= reason;
    this.abort();
    this.#fail?.(reason);
  }
}

/**
 * A time-out as axios' http adapter reads it (lib/adapters/http.js: `parseInt`), in milliseconds; 0 for none, and for what
 * the adapter fails on by itself.
 */
export function timeoutOf({ timeout }: Pick<RequestConfig, 'timeout'>): number {
  const milliseconds = timeout ? Number.parseInt(String(timeout), 10) : 0;
  return milliseconds > 0 ? Math.min(milliseconds, MOST_TIMEOUT_MS) : 0;
}

/** The error that axios' http adapter makes of a time-out. */
function timedOut(config: RequestConfig, doing = ''): AxiosError {
  const message = config.timeoutErrorMessage || `timeout of ${config.timeout}ms exceeded${doing}`;
  const code = config.transitional?.clarifyTimeoutError ? AxiosError.ETIMEDOUT : AxiosError.ECONNABORTED;
  return new AxiosError(message, code, config);
}
