import { Readable } from 'node:stream';
import type { AxiosRequestConfig } from 'axios';
import { AuthError, isAuthError } from '../contract/auth-error';
import { axiosInUse } from './axios';

/** For transforms of axios that shall do nothing: a `fetch` sends and hands out what it was given. */
const AS_IT_IS = [(body: unknown) => body];

/**
 * A call of `fetch`, as axios takes it: nothing is transformed, and only a status of 2xx resolves.
 *
 * @param init - `body` of any kind that the Fetch standard has
 * @param headers - names in lower case
 */
export function axiosRequestOf(
  init: RequestInit,
  headers: Record<string, string>,
): AxiosRequestConfig | Promise<AxiosRequestConfig> {
  const packed = packedBody(init.body);
  return packed instanceof Promise
    ? packed.then((body) => configOf(init, headers, body))
    : configOf(init, headers, packed);
}

function configOf(
  { method = 'GET', signal, redirect = 'follow' }: RequestInit,
  headers: Record<string, string>,
  { data, contentType }: PackedBody,
): AxiosRequestConfig {
  return {
    method,
    // false: axios would name a content type that nobody asked for
    headers: { accept: '*/*', 'content-type': contentType ?? false, ...headers },
    data,
    ...(signal && { signal }),
    ...(redirect !== 'follow' && { maxRedirects: 0 }),
    validateStatus: isOk,
    transformRequest: AS_IT_IS,
    transformResponse: AS_IT_IS,
  };
}

/** Whether a status is one of success, as the Fetch standard has it (2.2.3). */
export const isOk = (status: number): boolean => status >= 200 && status < 300;

/** A body as axios takes it, and the content type it stands for. What is not a stream can be sent again. */
interface PackedBody {
  readonly data?: unknown;
  readonly contentType?: string | undefined;
}

function packedBody(body: unknown): PackedBody | Promise<PackedBody> {
  if (body === undefined || body === null) return {};
  if (typeof body === 'string') return { data: body, contentType: 'text/plain;charset=UTF-8' };
  if (body instanceof ArrayBuffer) return { data: Buffer.from(body) };
  if (ArrayBuffer.isView(body)) return { data: Buffer.from(body.buffer, body.byteOffset, body.byteLength) };
  if (body instanceof URLSearchParams) {
    return { data: String(body), contentType: 'application/x-www-form-urlencoded;charset=UTF-8' };
  }
  if (body instanceof Blob || body instanceof FormData) return packedBlob(body);
  if (body instanceof ReadableStream) return { data: Readable.fromWeb(body as never) };
  if (typeof body === 'object' && Symbol.asyncIterator in body)
    return { data: Readable.from(body as AsyncIterable<unknown>) };
  return { data: String(body), contentType: 'text/plain;charset=UTF-8' };
}

async function packedBlob(body: Blob | FormData): Promise<PackedBody> {
  const packed = new Response(body);
  return {
    data: Buffer.from(await packed.arrayBuffer()),
    contentType: packed.headers.get('content-type') ?? undefined,
  };
}

/** What `fetch` rejects with where axios failed: the signal's reason, or a TypeError with the fault as its cause. */
export function fetchErrorOf(error: unknown, signal: AbortSignal | null | undefined): unknown {
  const { isAxiosError, isCancel } = axiosInUse();
  if (isCancel(error) && signal?.aborted) return signal.reason;
  if (error instanceof AuthError) return error.again(); // without what plugins of axios find on it: what was sent
  return isAxiosError(error) && !isAuthError(error) ? new TypeError('fetch failed', { cause: error }) : error;
}
