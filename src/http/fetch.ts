import { Readable } from 'node:stream';
import { type AxiosInstance, type AxiosRequestConfig, isAxiosError, isCancel } from 'axios';
import { isAuthError } from '../errors';

/** Answers up to this size, when they say so, are read at once: a web stream costs several times as much. */
const SMALL = 64 * 1024;

/** Status codes whose responses have no body (Fetch standard, 2.2.3). */
const NULL_BODY = new Set([101, 103, 204, 205, 304]);

/**
 * A `fetch` that sends through an axios instance, and so through whatever that instance does to its requests. As with any
 * `fetch`, an answer of whatever status resolves, and a relative URL is one of the instance's base URL.
 *
 * Errors: AuthError if the request could not be authenticated; the signal's reason if it was aborted; `TypeError: fetch
 * failed` with the network fault as `cause` otherwise.
 */
export function createFetch(instance: AxiosInstance, extra: AxiosRequestConfig = {}): typeof globalThis.fetch {
  return async (input, init = {}) => {
    const request = input instanceof Request ? input : undefined;
    const url = request ? request.url : String(input);
    const signal = init.signal ?? request?.signal;
    const { data, contentType } = await bodyOf(init.body ?? (request?.body ? await request.arrayBuffer() : undefined));
    const headers = new Headers(init.headers ?? request?.headers);
    if (contentType && !headers.has('content-type')) headers.set('content-type', contentType);
    // axios would name a content type that nobody asked for
    const named = headers.has('content-type') ? {} : { 'content-type': false };
    const redirect = init.redirect ?? request?.redirect ?? 'follow';
    try {
      const response = await instance.request({
        ...extra,
        url,
        method: init.method ?? request?.method ?? 'GET',
        headers: { accept: '*/*', ...Object.fromEntries(headers), ...named },
        data,
        ...(signal && { signal }),
        ...(redirect !== 'follow' && { maxRedirects: 0 }),
        responseType: 'stream',
        validateStatus: () => true,
        transformRequest: [(body) => body],
        transformResponse: [(body) => body],
      });
      if (redirect === 'error' && response.status >= 300 && response.status < 400 && response.headers['location']) {
        throw new TypeError('fetch failed', { cause: new Error('unexpected redirect') });
      }
      return await toResponse(response.data, response, signal);
    } catch (error) {
      if (isCancel(error) && signal?.aborted) throw signal.reason;
      throw isAxiosError(error) && !isAuthError(error) ? new TypeError('fetch failed', { cause: error }) : error;
    }
  };
}

/** What a Response can be made of. */
type Body = ConstructorParameters<typeof Response>[0];

/** A body as axios takes it, and the content type it stands for. What is not a stream can be sent again. */
async function bodyOf(body: unknown): Promise<{ data?: unknown; contentType?: string | undefined }> {
  if (body === undefined || body === null) return {};
  if (typeof body === 'string') return { data: body, contentType: 'text/plain;charset=UTF-8' };
  if (body instanceof ArrayBuffer) return { data: Buffer.from(body) };
  if (ArrayBuffer.isView(body)) return { data: Buffer.from(body.buffer, body.byteOffset, body.byteLength) };
  if (body instanceof URLSearchParams) {
    return { data: String(body), contentType: 'application/x-www-form-urlencoded;charset=UTF-8' };
  }
  if (body instanceof Blob || body instanceof FormData) {
    const packed = new Response(body);
    return {
      data: Buffer.from(await packed.arrayBuffer()),
      contentType: packed.headers.get('content-type') ?? undefined,
    };
  }
  if (body instanceof ReadableStream) return { data: Readable.fromWeb(body as never) };
  if (typeof body === 'object' && Symbol.asyncIterator in body)
    return { data: Readable.from(body as AsyncIterable<unknown>) };
  return { data: String(body), contentType: 'text/plain;charset=UTF-8' };
}

async function toResponse(
  data: unknown,
  answer: {
    status: number;
    statusText: string;
    headers: object;
    request?: { responseURL?: string; isRedirected?: boolean };
  },
  signal: AbortSignal | undefined,
): Promise<Response> {
  const headers = new Headers();
  for (const [name, value] of Object.entries(answer.headers)) {
    if (value === undefined || value === null) continue;
    for (const one of Array.isArray(value) ? value : [value]) headers.append(name, String(one));
  }
  const { status, statusText } = answer;
  const body = NULL_BODY.has(status)
    ? drained(data)
    : await responseBody(data, Number(headers.get('content-length') ?? Number.NaN), signal);
  const response = new Response(body, { status, statusText, headers });
  // Worked out when it is asked for, which is seldom, and dear.
  const { request } = answer;
  if (request) Object.defineProperty(response, 'url', { get: () => request.responseURL ?? '' });
  if (request?.isRedirected) Object.defineProperty(response, 'redirected', { value: true });
  return response;
}

function drained(data: unknown): null {
  if (data instanceof Readable) data.resume();
  return null;
}

/** A custom adapter, such as a mock, may answer with something that is no stream. */
async function responseBody(data: unknown, length: number, signal: AbortSignal | undefined): Promise<Body | null> {
  if (data instanceof Readable) {
    if (!(length <= SMALL)) return streamed(data, signal) as Body;
    const chunks: Buffer[] = [];
    for await (const chunk of data) chunks.push(chunk);
    return Buffer.concat(chunks) as Body;
  }
  if (data === undefined || data === null) return null;
  if (typeof data === 'string' || data instanceof ReadableStream || data instanceof Blob) return data as Body;
  if (data instanceof ArrayBuffer || ArrayBuffer.isView(data)) return data as Body;
  return JSON.stringify(data);
}

/** A body as it comes, which fails as that of any `fetch` does; `Readable.toWeb` would show axios' own error for an abort. */
function streamed(data: Readable, signal: AbortSignal | undefined): ReadableStream<Uint8Array> {
  const chunks = data.on('error', () => {})[Symbol.asyncIterator](); // nobody may be reading when it fails
  return new ReadableStream(
    {
      async pull(controller) {
        try {
          const { done, value } = await chunks.next();
          if (done) controller.close();
          else controller.enqueue(value);
        } catch (error) {
          throw signal?.aborted ? signal.reason : new TypeError('terminated', { cause: error });
        }
      },
      cancel: () => void data.destroy(),
    },
    { highWaterMark: 0 },
  );
}
