import { Readable } from 'node:stream';
import type { AxiosResponse } from 'axios';
import { AnswerStream } from './answer-stream';
import { WebAnswerStream } from './web-answer-stream';

/** What the one who gets a stream is bound to. */
export interface StreamTerms {
  /** Makes an error of the adapter fit to be shown. */
  expose(error: unknown): Error;
  /** What it fails with where the server is silent for too long. */
  idleError(): Error;
  /** Has the stream fail with what its call is ended by, such as its signal. */
  onEnd(fail: (reason: Error) => void): void;
  /** The stream is over: nothing more has to be watched for it. */
  release(): void;
}

/** An answer's stream as this library hands it out: it has one owner from the first byte to the last. */
export interface OwnedStream {
  /** Whether all of it has come without a fault, so that it holds no connection any more. */
  readonly isWhole: boolean;
  /**
   * Reads the beginning, which stays to be read: all of it, or as much as comes within these limits.
   *
   * @returns what there is. It never rejects: a stream that breaks off does so for its reader too, after what had come
   */
  readAhead(mostBytes: number, ms: number): Promise<Buffer>;
  /** Lets go of what has not been read ahead, and of the connection. Who still reads gets what was read ahead, and an error. */
  letGo(): void;
  /**
   * From now on somebody else reads it.
   *
   * @param idleMs - how many milliseconds the server may be silent while more is wanted; 0: as long as it likes
   */
  handOut(terms: StreamTerms, idleMs: number): void;
}

/**
 * Replaces an answer's stream by one of ours; leaves anything else as it is.
 *
 * @param abort - ends the request behind it, if there is another way than by its stream
 */
export function ownStream(response: AxiosResponse, abort?: AbortController): void {
  const { data, request } = response;
  const isOfNode = data instanceof Readable;
  if ((!isOfNode && !(data instanceof ReadableStream)) || isOwnedStream(data)) return;
  const end = () => {
    abort?.abort();
    if (typeof request?.destroy === 'function') request.destroy(); // one of Node's client
  };
  response.data = isOfNode ? new AnswerStream(data, end) : new WebAnswerStream(data, end);
}

/** Whether there is a stream to be dealt with. */
export function isOwnedStream(data: unknown): data is OwnedStream {
  return data instanceof AnswerStream || data instanceof WebAnswerStream;
}
