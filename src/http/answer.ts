import { isAnyArrayBuffer } from 'node:util/types';
import { brotliDecompressSync, unzipSync, constants as zlib } from 'node:zlib';
import type { AxiosResponse } from 'axios';
import type { ApiAnswer } from '../contract/auth-strategy';
import type { ApiRefusal } from '../qelos/refusal';
import { AnswerStream, MOST_READ_AHEAD } from './answer-stream';
import { isOwnedStream, ownStream } from './owned-stream';

/** Longer than the beginning of an answer that has begun takes, in milliseconds. */
const MOST_READ_AHEAD_MS = 1_000;

/** What refusals mean. It travels with the answer and not on it, as an answer is the server's alone. */
const refusals = new WeakMap<AxiosResponse, ApiRefusal>();

/** Notes what a 401 or 403 means. */
export function explainAnswer(response: AxiosResponse, refusal: ApiRefusal): void {
  refusals.set(response, refusal);
}

/** What a 401 or 403 that was answered to an authenticated request means; undefined for any other answer. */
export function refusalOf(response: AxiosResponse): ApiRefusal | undefined {
  return refusals.get(response);
}

/**
 * What an answer says, at the adapter, where axios has not parsed it yet. The beginning of a stream is read ahead, and stays
 * to be read.
 *
 * @param ms - how long to wait for it at most; then what there is has to do
 */
export async function answerOf(response: AxiosResponse, ms = MOST_READ_AHEAD_MS): Promise<ApiAnswer> {
  ownStream(response);
  const { status, data } = response;
  const headers = headersOf(response);
  const said = isOwnedStream(data) ? await data.readAhead(MOST_READ_AHEAD, Math.min(ms, MOST_READ_AHEAD_MS)) : data;
  return { status, headers, data: parsed(await textOf(said, headers['content-encoding'])) };
}

function headersOf(response: AxiosResponse): Record<string, unknown> {
  const headers: Record<string, unknown> = {};
  for (const [name, value] of Object.entries(response.headers ?? {})) headers[name.toLowerCase()] = value;
  return headers;
}

/** Bytes as text, compressed ones too (`decompress: false`); what is neither bytes nor text as it is. */
async function textOf(data: unknown, encoding: unknown): Promise<unknown> {
  if (data instanceof Blob) return textOf(await data.slice(0, MOST_READ_AHEAD).arrayBuffer(), encoding);
  if (isAnyArrayBuffer(data)) return textOf(Buffer.from(data), encoding);
  if (!ArrayBuffer.isView(data)) return data;
  return decompressed(Buffer.from(data.buffer, data.byteOffset, data.byteLength), encoding).toString();
}

/** The header may stay though the adapter has decompressed, and the end may be missing. */
function decompressed(bytes: Buffer, encoding: unknown): Buffer {
  const limit = { maxOutputLength: MOST_READ_AHEAD };
  try {
    if (encoding === 'br') return brotliDecompressSync(bytes, { ...limit, finishFlush: zlib.BROTLI_OPERATION_FLUSH });
    if (encoding) return unzipSync(bytes, { ...limit, finishFlush: zlib.Z_SYNC_FLUSH });
  } catch {}
  return bytes;
}

function parsed(data: unknown): unknown {
  if (typeof data !== 'string') return data;
  try {
    return JSON.parse(data.replace(/^\ufeff/, ''));
  } catch {
    return data;
  }
}

/** Lets go of an answer that nobody will read: a small one is left to arrive, so that its connection can serve again. */
export function discard(response: AxiosResponse): void {
  ownStream(response);
  const { data, headers } = response;
  if (!isOwnedStream(data)) return;
  const isSmall = Number(headers?.['content-length'] ?? Number.NaN) <= MOST_READ_AHEAD;
  if (isSmall && data instanceof AnswerStream) data.drain();
  else data.letGo();
}
