import { Readable } from 'node:stream';
import type { AxiosResponse } from 'axios';
import type { ApiAnswer } from '../strategies/auth-strategy';

/** More of a streamed answer than this is not read ahead to see what a refusal says. */
const MOST_READ_AHEAD = 64 * 1024;

/**
 * What an answer says, at the adapter, where axios has not parsed it yet. A stream is read ahead and put back, so that the
 * caller gets all of it.
 */
export async function answerOf(response: AxiosResponse): Promise<ApiAnswer> {
  if (response.data instanceof Readable || response.data instanceof ReadableStream) {
    const { text, data } = await readAhead(response.data);
    response.data = data;
    return { status: response.status, headers: headersOf(response), data: parsed(text) };
  }
  return { status: response.status, headers: headersOf(response), data: parsed(response.data) };
}

function headersOf(response: AxiosResponse): Record<string, unknown> {
  const headers: Record<string, unknown> = {};
  for (const [name, value] of Object.entries(response.headers ?? {})) headers[name.toLowerCase()] = value;
  return headers;
}

function parsed(data: unknown): unknown {
  if (data instanceof ArrayBuffer) return parsed(Buffer.from(data).toString());
  if (ArrayBuffer.isView(data)) return parsed(Buffer.from(data.buffer, data.byteOffset, data.byteLength).toString());
  if (typeof data !== 'string') return data;
  try {
    return JSON.parse(data);
  } catch {
    return data;
  }
}

async function readAhead(
  source: Readable | ReadableStream,
): Promise<{ text: string; data: Readable | ReadableStream }> {
  const stream = source instanceof Readable ? source : Readable.fromWeb(source as never);
  const chunks: Buffer[] = [];
  let size = 0;
  const rest = stream[Symbol.asyncIterator]();
  let failure: unknown;
  try {
    while (size <= MOST_READ_AHEAD) {
      const { done, value } = await rest.next();
      if (done) break;
      const chunk = Buffer.from(value);
      chunks.push(chunk);
      size += chunk.length;
    }
  } catch (error) {
    failure = error; // it breaks off for the caller at the same place
  }
  const again = Readable.from(
    (async function* () {
      yield* chunks;
      if (failure !== undefined) throw failure;
      yield* { [Symbol.asyncIterator]: () => rest };
    })(),
    { objectMode: false },
  );
  const text = Buffer.concat(chunks).toString();
  return { text, data: source instanceof Readable ? again : (Readable.toWeb(again) as ReadableStream) };
}

/** Lets go of an answer that nobody will read: what is small is read, so that its connection can serve again. */
export function discard(response: AxiosResponse): void {
  const { data } = response;
  if (data instanceof ReadableStream) data.cancel().catch(() => {});
  if (!(data instanceof Readable)) return;
  data.on('error', () => {});
  if (Number(response.headers?.['content-length'] ?? Number.NaN) <= MOST_READ_AHEAD) data.resume();
  else data.destroy();
}
