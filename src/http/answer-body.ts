import { Readable } from 'node:stream';
import { AxiosError } from 'axios';

/** What a Response can be made of. */
export type Body = ConstructorParameters<typeof Response>[0] | null;

/** How long a body may stall, and who may end it. */
export interface BodyLimits {
  /** Milliseconds without a byte that a reader waits at most; 0: for ever. */
  readonly stallMs: number;
  readonly signal: AbortSignal | null | undefined;
}

/** The body of an answer for a Response. A custom adapter, such as a mock, may answer with something that is no stream. */
export function responseBody(data: unknown, limits: BodyLimits): Body | Promise<Body> {
  if (data instanceof Readable) return bodyOfStream(data, limits);
  if (data === undefined || data === null) return null;
  if (typeof data === 'string' || data instanceof ReadableStream || data instanceof Blob) return data as Body;
  if (data instanceof ArrayBuffer || ArrayBuffer.isView(data)) return data as Body;
  return JSON.stringify(data);
}

/**
 * Takes what has arrived with the head of the answer, which is all of a small one: bytes cost a fraction of a web stream.
 * Whatever comes later, a body that breaks off included, is its reader's.
 */
async function bodyOfStream(data: Readable, limits: BodyLimits): Promise<Body> {
  const chunks: Uint8Array[] = [];
  if (await endsAtOnce(data, chunks)) return (chunks.length === 1 ? chunks[0] : Buffer.concat(chunks)) as Body;
  if (limits.signal?.aborted) throw limits.signal.reason;
  return streamed(chunks, data, limits);
}

/** Reads into `chunks` until the body ends, or nothing more has come by the end of this turn of the event loop. */
function endsAtOnce(data: Readable, chunks: Uint8Array[]): Promise<boolean> {
  return new Promise((resolve) => {
    const take = () => {
      for (let chunk = data.read(); chunk !== null; chunk = data.read()) chunks.push(chunk);
    };
    const ended = () => settle(true);
    const failed = () => settle(false);
    const turn = setImmediate(() => settle(data.readableEnded));
    const settle = (whole: boolean) => {
      clearImmediate(turn);
      data.off('readable', take).off('end', ended).off('close', failed);
      resolve(whole);
    };
    // Stays: nobody may be reading when it fails.
    data.on('error', failed);
    data.on('end', ended).on('close', failed).on('readable', take);
  });
}

/** A body as it comes, which fails as that of any `fetch` does. */
function streamed(begun: Uint8Array[], data: Readable, { stallMs, signal }: BodyLimits): ReadableStream<Uint8Array> {
  const rest = data[Symbol.asyncIterator]();
  return new ReadableStream(
    {
      async pull(controller) {
        const first = begun.shift();
        if (first) return controller.enqueue(first);
        const timer = stallMs > 0 ? setTimeout(() => data.destroy(stalled(stallMs)), stallMs) : undefined;
        try {
          const { done, value } = await rest.next();
          if (done) controller.close();
          else controller.enqueue(value);
        } catch (error) {
          throw signal?.aborted ? signal.reason : new TypeError('terminated', { cause: error });
        } finally {
          clearTimeout(timer);
        }
      },
      cancel: () => void data.destroy(),
    },
    { highWaterMark: 0 },
  );
}

function stalled(ms: number): AxiosError {
  return new AxiosError(`timeout of ${ms}ms exceeded while waiting for more of the body`, AxiosError.ECONNABORTED);
}
