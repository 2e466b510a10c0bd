import { Readable } from 'node:stream';
import type { AxiosInstance, AxiosRequestConfig, AxiosResponse } from 'axios';
import { type ApiRefusal, apiRefusal } from '../qelos/refusal';
import { discard } from './answer';
import { type Body, responseBody } from './answer-body';
import { silentEventStreams } from './exchange';
import { answerIn } from './exposure';
import { axiosRequestOf, fetchErrorOf } from './fetch-request';

/** Status codes whose responses have no body (Fetch standard, 2.2.3). */
const NULL_BODY = new Set([204, 205, 304]);

/** An answer is handed out when its head is there. An event stream may be silent for as long as its reader likes. */
const STREAMED = { responseType: 'stream', [silentEventStreams]: true } as const;

/** What the 401 and 403 among the answers mean. */
const refusals = new WeakMap<Response, ApiRefusal>();

/** What an answer of `createFetch` means and what to do about it; undefined unless it is a refusal of an authenticated call. */
export function refusalOf(response: Response): ApiRefusal | undefined {
  return refusals.get(response);
}

/**
 * A `fetch` that sends through an axios instance, and so through whatever that instance does to its requests. As with any
 * `fetch`, an answer of whatever status resolves, and a relative URL is one of the instance's base URL.
 *
 * The instance's `timeout` is for the head of the answer, and for each wait for more of its body. Only an event stream
 * (`text/event-stream`) may be silent for longer.
 *
 * Errors: AuthError if the request could not be authenticated; the signal's reason if it was aborted; `TypeError: fetch
 * failed` with the network fault as `cause` otherwise.
 *
 * @param extra - settings of axios for every request
 */
export function createFetch(instance: AxiosInstance, extra: AxiosRequestConfig = {}): typeof globalThis.fetch {
  return async (input, init) => {
    const call = input instanceof Request ? await merged(input, init) : (init ?? {});
    const url = input instanceof Request ? input.url : String(input);
    const headers = Object.fromEntries(new Headers(call.headers));
    const ready = axiosRequestOf(call, headers);
    const request = ready instanceof Promise ? await ready : ready;
    let answer: AxiosResponse;
    let refusal: ApiRefusal | undefined;
    try {
      const headers = { ...extra.headers, ...request.headers } as NonNullable<AxiosRequestConfig['headers']>;
      answer = await instance.request({ ...extra, ...request, ...STREAMED, url, headers });
    } catch (error) {
      const answered = answerIn(error);
      if (!answered) throw fetchErrorOf(error, call.signal);
      answer = answered;
      refusal = apiRefusal(error);
    }
    const refused = reasonAgainst(answer, call);
    if (refused !== undefined) {
      discard(answer);
      throw new TypeError('fetch failed', { cause: new Error(refused) });
    }
    const response = await toResponse(answer, call);
    if (refusal) refusals.set(response, refusal);
    return response;
  };
}

/** What a Request says, where `init` says nothing else. */
async function merged(request: Request, init: RequestInit = {}): Promise<RequestInit> {
  return {
    method: init.method ?? request.method,
    headers: init.headers ?? request.headers,
    body: init.body ?? (request.body ? await request.arrayBuffer() : null),
    signal: init.signal ?? request.signal,
    redirect: init.redirect ?? request.redirect,
  };
}

/** Why an answer cannot be handed out; undefined if it can. */
function reasonAgainst({ status, headers }: AxiosResponse, { redirect }: RequestInit): string | undefined {
  if (status < 200 || status > 599) return `a Response cannot have the status ${status}`;
  const isRedirect = status >= 300 && status < 400 && headers['location'];
  return isRedirect && redirect === 'error' ? 'unexpected redirect' : undefined;
}

async function toResponse(answer: AxiosResponse, { method, signal }: RequestInit): Promise<Response> {
  const headers = new Headers();
  for (const name in answer.headers) {
    const value = answer.headers[name];
    if (value === undefined || value === null) continue;
    if (Array.isArray(value)) for (const one of value) headers.append(name, String(one));
    else headers.append(name, String(value));
  }
  let body: Body = null;
  if (NULL_BODY.has(answer.status) || method?.toUpperCase() === 'HEAD') {
    if (answer.data instanceof Readable) answer.data.on('error', () => {}).resume();
  } else {
    body = await responseBody(answer.data, signal);
  }
  const { status, statusText } = answer;
  const response = new Response(body, { status, statusText, headers });
  return answer.request ? located(response, answer.request) : response;
}

/** What axios knows of the place that answered. */
interface Place {
  readonly responseURL?: string;
  readonly isRedirected?: boolean;
}

/** Tells a Response, and its copies, where it came from. */
function located(response: Response, place: Place): Response {
  return Object.defineProperties(response, {
    url: { get: () => place.responseURL ?? '' }, // worked out when it is asked for, which is seldom, and dear
    redirected: { get: () => place.isRedirected ?? false },
    clone: { value: () => located(Response.prototype.clone.call(response), place) },
  });
}
