import { Readable } from 'node:stream';
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
  /** Has the adapter end a stream that nobody reads to its end. */
  giveUp(): void;
  /** The stream is over: nothing more has to be watched for it. */
  release(): void;
}

/** An answer's stream as this library hands it out: it has one owner from the first byte to the last. */
export interface OwnedStream {
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

/** What an answer's stream is replaced by; anything else as it is. */
export function ownedStream(data: unknown, request: unknown): unknown {
  if (data instanceof AnswerStream || data instanceof WebAnswerStream) return data;
  if (data instanceof Readable) return new AnswerStream(data, request);
  if (data instanceof ReadableStream) return new WebAnswerStream(data);
  return data;
}

/** Whether there is a stream to be dealt with. */
export function isOwnedStream(data: unknown): data is OwnedStream {
  return data instanceof AnswerStream || data instanceof WebAnswerStream;
}
