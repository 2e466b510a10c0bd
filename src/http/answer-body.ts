import { Readable } from 'node:stream';
import { AnswerStream } from './answer-stream';

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
  const whole = data instanceof AnswerStream ? await data.takeWhole() : undefined;
  return (whole ?? streamed(readerOf(data), signal)) as Body;
}

/** What a body is read by, as of a web stream. */
interface Reader {
  read(): Promise<{ done?: boolean | undefined; value?: unknown }>;
  cancel(reason: unknown): unknown;
}

function readerOf(data: Readable): Reader {
  const rest = data[Symbol.asyncIterator]();
  return {
    read: () => rest.next(),
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
