import { Readable } from 'node:stream';

/** What a Response can be made of. */
export type Body = ConstructorParameters<typeof Response>[0] | null;

type Signal = AbortSignal | null | undefined;

/**
 * The body of an answer for a Response. A custom adapter, such as a mock, may answer with something that is no stream.
 *
 * @param signal - of the call: its reason is what an aborted body fails with
 */
export function responseBody(data: unknown, signal: Signal): Body | Promise<Body> {
  if (data instanceof Readable) return bodyOfStream(data, signal);
  if (data instanceof ReadableStream) return streamed(data.getReader(), signal) as Body;
  if (data === undefined || data === null) return null;
  if (typeof data === 'string' || data instanceof Blob) return data as Body;
  if (data instanceof ArrayBuffer || ArrayBuffer.isView(data)) return data as Body;
  return JSON.stringify(data);
}

/**
 * Takes what has arrived with the head of the answer, which is all of a small one: bytes cost a fraction of a web stream.
 * Whatever comes later, a body that breaks off included, is its reader's.
 */
async function bodyOfStream(data: Readable, signal: Signal): Promise<Body> {
  const chunks: Uint8Array[] = [];
  if (await endsAtOnce(data, chunks)) return (chunks.length === 1 ? chunks[0] : Buffer.concat(chunks)) as Body;
  return streamed(readerOf(data, chunks), signal) as Body;
}

/** Reads into `chunks` until the body ends, or nothing more has come by the end of this turn of the event loop. */
function endsAtOnce(data: Readable, chunks: Uint8Array[]): Promise<boolean> {
  return new Promise((resolve) => {
    const take = () => {
      for (let chunk = data.read(); chunk !== null; chunk = data.read()) chunks.push(chunk);
    };
    const settle = () => {
      clearImmediate(turn);
      data.off('readable', take).off('end', settle).off('close', settle);
      resolve(data.readableEnded);
    };
    const turn = setImmediate(settle);
    data.on('readable', take).on('end', settle).on('close', settle);
  });
}

/** What a body is read by, as of a web stream. */
interface Reader {
  read(): Promise<{ done?: boolean | undefined; value?: unknown }>;
  cancel(reason: unknown): unknown;
}

function readerOf(data: Readable, begun: Uint8Array[]): Reader {
  const rest = data[Symbol.asyncIterator]();
  return {
    read: async () => (begun.length > 0 ? { value: begun.shift() } : rest.next()),
    cancel: () => void data.destroy(),
  };
}

/** A body as it comes, which fails as that of any `fetch` does. */
function streamed(source: Reader, signal: Signal): ReadableStream<unknown> {
  return new ReadableStream(
    {
      async pull(controller) {
        try {
          const { done, value } = await source.read();
          if (done) controller.close();
          else controller.enqueue(value);
        } catch (error) {
          throw signal?.aborted ? signal.reason : new TypeError('terminated', { cause: error });
        }
      },
      cancel: (reason) => source.cancel(reason) as Promise<void>,
    },
    { highWaterMark: 0 },
  );
}
