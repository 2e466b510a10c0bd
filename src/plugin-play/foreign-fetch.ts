import type { AxiosResponse, InternalAxiosRequestConfig } from 'axios';
import { DEFAULT_TIMEOUT_MS } from '../config';
import { AuthError } from '../contract/auth-error';
import { axiosInUse } from '../http/axios';
import { MOST_BYTES } from '../http/bare-client';
import { within } from '../http/deadline';
import { Origin } from '../http/origin';
import { isRedirect, mostRedirects, redirected, redirectTarget, tooManyRedirects } from '../http/redirect';

/** An answer to a sign-in or refresh, which can be handed to anyone who asks the same. */
export interface TokenAnswer {
  readonly status: number;
  readonly statusText: string;
  readonly headers: Headers;
  readonly body: string;
}

/** Whether a body can be sent twice: everything but a stream. */
export function isReplayable(body: RequestInit['body']): boolean {
  return typeof body !== 'object' || body === null || !(Symbol.asyncIterator in body);
}

/**
 * Sends a call with a credential that is not ours: through the global `fetch`, and to no other origin than it was made for.
 * The global `fetch` would follow a redirect elsewhere, and takes `authorization` off there, but no `x-api-key` and no body.
 *
 * @param timeoutMs - milliseconds for the head of the answer, and for each wait for more of its body; 0: none
 * @throws AuthError `ERR_AUTH_REDIRECT` if a redirect leads elsewhere, or in a circle; `TypeError` if there is no answer
 */
export async function foreignFetch(url: URL, init: RequestInit, timeoutMs: number): Promise<Response> {
  const end = new AbortController();
  const signal = init.signal ? AbortSignal.any([init.signal, end.signal]) : end.signal;
  const send = () => followed(url, timeoutMs > 0 ? { ...init, signal } : init);
  // Aborted only after its time: a caller's own signal goes on to end the body.
  const response = await within(timeoutMs, send, timedOut).catch((error) => {
    end.abort();
    throw error;
  });
  return timeoutMs > 0 ? neverSilent(response, timeoutMs, () => end.abort()) : response;
}

async function followed(start: URL, init: RequestInit): Promise<Response> {
  const origin = new Origin(start.href);
  const most = mostRedirects({} as InternalAxiosRequestConfig);
  let url = start.href;
  let { method = 'GET', headers, body = null } = init;
  for (let redirects = 0; ; redirects++) {
    const response = await globalThis.fetch(url, {
      redirect: 'manual',
      ...init,
      method,
      ...(headers !== undefined && { headers }),
      body,
    });
    const answer = axiosAnswerOf(response);
    if ((init.redirect ?? 'follow') !== 'follow' || !isRedirect(answer)) return response;
    await response.body?.cancel();
    if (redirects === most) throw tooManyRedirects(most, response.status);
    if (!origin.owns(redirectTarget(url, answer))) throw ledElsewhere(url, answer);
    const sentHeaders = axiosInUse().AxiosHeaders.from(Object.fromEntries(new Headers(headers)));
    const sent = { url, method, data: body, headers: sentHeaders };
    const next = redirected(sent, answer, origin, isReplayable(body));
    url = String(next.url);
    method = next.method ?? method;
    body = next.data ?? null;
    headers = Object.entries(next.headers.toJSON()).map(([name, value]): [string, string] => [name, String(value)]);
  }
}

/** As much of an answer as the rules for redirects look at. */
function axiosAnswerOf({ status, headers }: Response): AxiosResponse {
  return { status, headers: Object.fromEntries(headers) } as unknown as AxiosResponse;
}

/** The same answer, whose body fails when the server is silent for too long. An event stream may be. */
function neverSilent(response: Response, ms: number, end: () => void): Response {
  const reader = response.headers.get('content-type')?.includes('text/event-stream')
    ? undefined
    : response.body?.getReader();
  if (!reader) return response;
  const body = new ReadableStream<Uint8Array>(
    {
      async pull(controller) {
        try {
          const { done, value } = await within(ms, () => reader.read(), timedOut);
          if (done) controller.close();
          else controller.enqueue(value);
        } catch (error) {
          end();
          throw error;
        }
      },
      cancel: (reason) => reader.cancel(reason),
    },
    { highWaterMark: 0 },
  );
  return Object.defineProperty(new Response(body, response), 'url', { value: response.url });
}

/**
 * Sends a sign-in or refresh, for everyone who waits for it: so not with the signal of one of them. It ends in time, follows
 * no redirect (a 307 would carry the password along), and takes no more than a credential can be.
 *
 * @param timeoutMs - milliseconds for all of it; 0, or more than 20 s: 20 s
 * @throws AuthError `ERR_AUTH_UNAVAILABLE`, `ERR_AUTH_REDIRECT`, `ERR_AUTH_BAD_RESPONSE`; `TypeError` if there is no answer
 */
export async function askForTokens(url: string, init: RequestInit, timeoutMs: number): Promise<TokenAnswer> {
  const ms = Math.min(timeoutMs || DEFAULT_TIMEOUT_MS, DEFAULT_TIMEOUT_MS);
  const ask = async (signal: AbortSignal | undefined): Promise<TokenAnswer> => {
    const response = await globalThis.fetch(url, { ...init, redirect: 'manual', signal: signal ?? null });
    const answer = axiosAnswerOf(response);
    if (isRedirect(answer)) {
      await response.body?.cancel();
      throw ledElsewhere(url, answer);
    }
    const { status, statusText, headers } = response;
    return { status, statusText, headers, body: await boundedText(response) };
  };
  return within(ms, ask, () => noAnswer(url, ms));
}

async function boundedText(response: Response): Promise<string> {
  const chunks: Uint8Array[] = [];
  let bytes = 0;
  for await (const chunk of response.body ?? []) {
    bytes += chunk.byteLength;
    if (bytes > MOST_BYTES) throw tooMuch(response.url); // leaving the loop cancels the body
    chunks.push(chunk);
  }
  return new TextDecoder().decode(Buffer.concat(chunks));
}

function timedOut(ms: number): TypeError {
  return new TypeError('fetch failed', { cause: new Error(`timeout of ${ms}ms exceeded`) });
}

/** Names no more of the target than its origin: the rest may hold a secret. */
function ledElsewhere(url: string, answer: AxiosResponse): AuthError {
  const { origin } = new URL(url);
  const target = new URL(redirectTarget(url, answer)).origin;
  const message = `A redirect (${answer.status}) of ${origin} to ${target} was not followed: it would carry the credential along.`;
  return new AuthError('ERR_AUTH_REDIRECT', message, {
    hint: 'If the instance has moved, give getSdkForUrl() its new address as appUrl, or have the tenant register the plugin again with it (also if only http:// became https://).',
    httpStatus: answer.status,
  });
}

function noAnswer(url: string, ms: number): AuthError {
  const message = `${new URL(url).origin} did not answer a sign-in or refresh within ${ms} ms.`;
  return new AuthError('ERR_AUTH_UNAVAILABLE', message, {
    hint: 'Check that the appUrl of the SDK can be reached and that the instance answers. The next call asks again.',
    retryable: true,
  });
}

function tooMuch(url: string): AuthError {
  const message = `${new URL(url).origin} answered a sign-in or refresh with more than a credential can be.`;
  return new AuthError('ERR_AUTH_BAD_RESPONSE', message, {
    hint: 'Check that the appUrl of the SDK is the base URL of a Qelos instance, and what stands in front of it.',
    retryable: true,
  });
}
