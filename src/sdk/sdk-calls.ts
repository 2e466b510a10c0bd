import type { AxiosInstance, AxiosRequestConfig, AxiosResponse } from 'axios';
import { isAuthError } from '../contract/auth-error';
import { axiosInUse } from '../http/axios';
import { withoutSent } from '../http/bare-client';
import { within } from '../http/deadline';
import { answerIn } from '../http/exposure';
import { createFetch } from '../http/fetch';
import { axiosRequestOf, fetchErrorOf, isOk } from '../http/fetch-request';
import { timeoutOf } from '../http/limits';
import { type ApiRefusal, apiRefusal } from '../qelos/refusal';
import {
  CREDENTIAL_HEADERS,
  IMPERSONATION,
  isAboutAnother,
  noRefreshToken,
  otherCredential,
} from './other-credentials';
import { bodyOf, type FailedAnswer } from './sdk-answer';

export interface SdkCallsParts {
  /** Base URL of the instance. */
  readonly url: string;
  /** What the calls are sent with. It authenticates, retries and follows. */
  readonly http: AxiosInstance;
  /** Makes the error for an answer that is not 2xx, or whose JSON cannot be read. */
  readonly failure: (answer: FailedAnswer) => Error;
}

/** The text of the answer, with everything of its body. */
const READ_WHOLE = { responseType: 'text', responseEncoding: 'utf8' } as const;

/**
 * The calls of an SDK on their way to an axios instance, and the one place that says which of them are about another
 * credential than ours. Those are sent with what they were given, for that call alone, or refused; never with ours.
 *
 * JSON calls are read whole: they end by the instance's time-out, and cost no Response. The others go by `fetch`.
 */
export class SdkCalls {
  readonly #url: string;
  readonly #http: AxiosInstance;
  readonly #failure: SdkCallsParts['failure'];
  readonly #fetch: typeof globalThis.fetch;
  readonly #fetchAsGiven: typeof globalThis.fetch;
  /** How a call is sent that is about another credential: without ours, and to nobody else. */
  readonly #asGiven: AxiosRequestConfig;
  /** Sent with every call of the SDK. */
  readonly #headers: Record<string, string> = {};

  constructor({ url, http, failure }: SdkCallsParts) {
    this.#url = url.replace(/\/$/, '');
    this.#http = http;
    this.#failure = failure;
    this.#asGiven = {
      skipAuth: true,
      maxRedirects: 0, // would carry a password or token along
      ...(url.startsWith('http:') && { proxy: false }), // which would read it
      headers: Object.fromEntries(CREDENTIAL_HEADERS.map((name) => [name, false])), // of the instance's defaults
    };
    this.#fetch = createFetch(http);
    this.#fetchAsGiven = createFetch(http, this.#asGiven);
  }

  /**
   * Sends a header with every call from now on.
   *
   * @throws AuthError `ERR_AUTH_CONFIG` if it is one that names who is calling
   */
  setHeader(name: string, value: string): void {
    if (CREDENTIAL_HEADERS.includes(name.toLowerCase())) throw otherCredential(name);
    this.#headers[name] = value;
  }

  /** Says why there is nothing to refresh. */
  noRefreshToken(): Error {
    return noRefreshToken();
  }

  removeHeader(name: string): void {
    delete this.#headers[name];
  }

  /**
   * Sends a call and resolves with the body: parsed if it is JSON, the text otherwise.
   *
   * @param path - below the base URL
   * @param given - the credential that the call is about, as headers
   */
  async json(path: string, init: RequestInit = {}, given?: Record<string, string>): Promise<unknown> {
    const isAsGiven = given !== undefined || isAboutAnother(path, init.headers);
    const ready = axiosRequestOf(init, this.#headersOf(init.headers, given, isAsGiven));
    const request: AxiosRequestConfig = ready instanceof Promise ? await ready : ready;
    Object.assign(request, targetOf(path), { baseURL: this.#url, allowAbsoluteUrls: false, ...READ_WHOLE });
    let answer: AxiosResponse;
    let refusal: ApiRefusal | undefined;
    try {
      answer = await (isAsGiven ? this.#sendAsGiven(request, init.signal) : this.#http.request(request));
    } catch (error) {
      const answered = answerIn(error);
      // A good status, and yet an error: its body broke off, or was too large.
      if (!answered || isOk(answered.status))
        throw fetchErrorOf(isAuthError(error) ? error : withoutSent(error), init.signal);
      answer = answered;
      refusal = apiRefusal(error);
    }
    const { status, statusText, headers } = answer;
    const { isReadable, body } = await bodyOf(answer);
    if (isOk(status) && isReadable) return body;
    throw this.#failure({ status, statusText, headers: { ...headers }, url: this.#url + path, body, refusal });
  }

  /** The time-out of an authenticated call counts all of it; axios' own ends no body that drips. */
  #sendAsGiven(request: AxiosRequestConfig, own: RequestInit['signal']): Promise<AxiosResponse> {
    const headers = { ...this.#asGiven.headers, ...request.headers } as NonNullable<AxiosRequestConfig['headers']>;
    const sent = { ...request, ...this.#asGiven, headers };
    const send = (signal: AbortSignal | undefined) => this.#http.request(signal ? { ...sent, signal } : sent);
    return within(timeoutOf(this.#http.defaults), send, timedOut, own);
  }

  /** Sends a call and resolves with the answer, whatever its status. Parameters as for `json`. */
  async raw(path: string, init: RequestInit = {}, given?: Record<string, string>): Promise<Response> {
    const isAsGiven = given !== undefined || isAboutAnother(path, init.headers);
    const headers = this.#headersOf(init.headers, given, isAsGiven);
    const { url, ...query } = targetOf(path);
    const send = createFetch(this.#http, isAsGiven ? { ...this.#asGiven, ...query } : query);
    return send(this.#url + url, { ...init, headers });
  }

  /** The same for an SDK that has put URL and headers together by itself. */
  readonly fetch: typeof globalThis.fetch = async (input, init) => {
    if (input instanceof Request) return this.#fetch(input, init);
    const path = String(input).slice(this.#url.length);
    return (isAboutAnother(path, init?.headers) ? this.#fetchAsGiven : this.#fetch)(input, init);
  };

  #headersOf(own: RequestInit['headers'], given: Record<string, string> | undefined, isAsGiven: boolean) {
    const headers: Record<string, string> = Object.fromEntries(new Headers(own));
    for (const name in this.#headers) {
      const lower = name.toLowerCase();
      if (!isAsGiven || !lower.startsWith(IMPERSONATION)) headers[lower] = this.#headers[name] as string;
    }
    return given ? Object.assign(headers, given) : headers;
  }
}

/** What a call leads to, for axios: the query apart, so that whoever mocks a call need only name its path. */
interface Target {
  readonly url: string;
  readonly params?: Record<string, string | string[]>;
  readonly paramsSerializer?: { serialize(): string };
}

function targetOf(path: string): Target {
  const start = path.indexOf('?');
  if (start < 0) return { url: path };
  const { search, searchParams } = new URL(path.slice(start), 'http://localhost');
  const params = Object.fromEntries(
    [...new Set(searchParams.keys())].map((name) => {
      const values = searchParams.getAll(name);
      return [name, values.length > 1 ? values : (values[0] as string)];
    }),
  );
  // Sent as the SDK wrote it: axios encodes some characters otherwise.
  return { url: path.slice(0, start), params, paramsSerializer: { serialize: () => search.slice(1) } };
}

function timedOut(ms: number): TypeError {
  const { AxiosError } = axiosInUse();
  const cause = new AxiosError(`timeout of ${ms}ms exceeded`, AxiosError.ECONNABORTED);
  return new TypeError('fetch failed', { cause });
}
