import type { AxiosAdapter, AxiosError, AxiosResponse, InternalAxiosRequestConfig } from 'axios';
import type { ApiAnswer } from '../contract/auth-strategy';
import type { Credential } from '../contract/credential';
import { answerOf, discard, refusalOf } from './answer';
import { axiosOf } from './axios';
import { answerIn, exposeError, exposeResponse, type SentCall } from './exposure';
import { Limits, timedOut, timeoutOf } from './limits';
import { normalUrl, resolveUrl } from './origin';
import { isOwnedStream, ownStream } from './owned-stream';
import { unsealed } from './sealed-agent';
import { uploadOf } from './upload';

export type RequestConfig = InternalAxiosRequestConfig;

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
  /** How often it waited for the server to know its credential. */
  pauses = 0;
  /** Whether its credential was not at hand. */
  waited = false;
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

  /** What an event says of the request. */
  get route(): { method: string; path: string } {
    const { request } = this;
    return { method: (request.method ?? 'get').toUpperCase(), path: new URL(resolveUrl(request)).pathname };
  }

  /** Sends a copy, as long as the call may take and its caller wants it. */
  transmit(copy: RequestConfig, credential: Credential): Promise<AxiosResponse> {
    this.sent = copy;
    this.credential = credential;
    const limits = this.#limits;
    if (!limits) return this.send(copy);
    limits.imposeOn(copy);
    // axios' own adapters stop listening to a signal when they fail, though the stream of the answer goes on.
    if (this.#judgesStatus) copy.validateStatus = null;
    return limits.until(this.send(copy), discard);
  }

  /** Waits for a credential, or its signature, as long as the call may take and its caller wants it. */
  waitFor<T>(promise: Promise<T>): Promise<T> {
    return this.#limits?.until(promise, undefined, ' while waiting for a credential') ?? promise;
  }

  /** Waits a moment, as long as the call may take and its caller wants it. */
  async pause(ms: number): Promise<void> {
    let timer: NodeJS.Timeout | undefined;
    try {
      await this.waitFor(new Promise<void>((resolve) => (timer = setTimeout(resolve, ms))));
    } finally {
      clearTimeout(timer);
    }
  }

  /** What comes within a part of the time-out, so that there is some left to give the answer in; undefined if it does not. */
  async inTime<T>(promise: Promise<T>): Promise<T | undefined> {
    const ms = this.#limits?.timeoutMs;
    if (!ms) return this.waitFor(promise);
    let timer: NodeJS.Timeout | undefined;
    const tooLate = new Promise<undefined>((resolve) => (timer = setTimeout(resolve, ms / 4, undefined)));
    try {
      return await this.waitFor(Promise.race([promise, tooLate]));
    } finally {
      clearTimeout(timer);
    }
  }

  /** What a refusal says. A part of the time-out is left for what follows from it. */
  read(response: AxiosResponse): Promise<ApiAnswer> {
    this.own(response);
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
    const { validateStatus } = this.config;
    if (this.#judgesStatus && validateStatus && !validateStatus(response.status)) {
      throw this.fail(badStatus(response, this.config));
    }
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

  /**
   * Lets go of an answer whose connection may be the only one there is, as the renewal needs it.
   *
   * @returns whether it can still be handed out, as all of it is there
   */
  keep(response: AxiosResponse): boolean {
    this.own(response);
    if (!isOwnedStream(response.data) || response.data.isWhole) return true;
    discard(response);
    return false;
  }

  /** Lets go of an answer that nobody will read. */
  discard(response: AxiosResponse): void {
    this.own(response);
    discard(response);
  }

  own(response: AxiosResponse): void {
    ownStream(response, this.#limits?.abort);
  }

  /** Whether it is told here, and not by the adapter, that a status is one to fail with. */
  get #judgesStatus(): boolean {
    const { responseType, adapter } = this.config;
    return this.#limits !== undefined && responseType === 'stream' && typeof adapter !== 'function';
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
    own: (response: AxiosResponse) => ownStream(response),
    idleMsOf: (response: AxiosResponse) =>
      config.maxRedirects === 0 ? idleMsOf(response, config, timeoutOf(config)) : 0,
    idleError: () => timedOut(config),
    expose(this: SentCall, error: unknown) {
      return exposeError(error, this) as Error;
    },
    onEnd: () => {},
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

/** The error that axios makes of a status (lib/core/settle.js). */
function badStatus(response: AxiosResponse, config: RequestConfig): AxiosError {
  const { status, request } = response;
  const { AxiosError } = axiosOf(config);
  const code = status >= 400 && status < 500 ? AxiosError.ERR_BAD_REQUEST : AxiosError.ERR_BAD_RESPONSE;
  return new AxiosError(`Request failed with status code ${status}`, code, config, request, response);
}
