import { Readable } from 'node:stream';
import type { OwnedStream, StreamTerms } from './owned-stream';

/** More of a streamed answer than this is not read ahead, nor read to its end when nobody wants it. */
export const MOST_READ_AHEAD = 64 * 1024;

/** How long the rest of a small answer that nobody wants may take to arrive before its connection is closed. */
const DRAIN_MS = 1_000;

/**
 * The same bytes from a stream that does not lead back to the request. It takes no more from its source than is wanted, and
 * fails as Node's own answers do: by an `error` event only where somebody listens for it, else for whoever reads it later.
 */
export class AnswerStream extends Readable implements OwnedStream {
  readonly #source: Readable;
  /** Ends the request: the only way to end a source that waits for another one. */
  readonly #endRequest: () => void;
  #terms: StreamTerms | undefined;
  /** What has come and was not asked for yet. */
  readonly #ahead: Buffer[] = [];
  #aheadBytes = 0;
  /** How much to hold of what nobody has asked for yet. */
  #mostAhead = 0;
  /** Told whenever something has come while it is read ahead. */
  #progress: (() => void) | undefined;
  #isWanted = false;
  #isStarted = false;
  #isEnded = false;
  #failure: Error | undefined;
  #idle: NodeJS.Timeout | undefined;

  constructor(source: Readable, endRequest: () => void) {
    super();
    this.#source = source;
    this.#endRequest = endRequest;
    source.on('error', (error) => this.#fail(error));
    source.on('end', () => this.#end());
    source.on('close', () => {
      if (!this.#isEnded) this.#fail(cutShort());
    });
    if (source.readableEnded) this.#isEnded = true;
    else if (source.destroyed) this.#failure = source.errored ?? cutShort();
  }

  get isWhole(): boolean {
    return this.#isEnded && this.#failure === undefined;
  }

  readAhead(mostBytes: number, ms: number): Promise<Buffer> {
    return new Promise((resolve) => {
      const timer = setTimeout(() => finish(), ms);
      const finish = this.#collect(mostBytes, () => {
        clearTimeout(timer);
        resolve(Buffer.concat(this.#ahead));
      });
    });
  }

  /**
   * Takes all of a small body that has come with its head.
   *
   * @returns undefined if not all of it is there at the end of this turn of the event loop: then it is still to be read
   */
  takeWhole(): Promise<Buffer | undefined> {
    return new Promise((resolve) => {
      const turn = setImmediate(() => finish());
      const finish = this.#collect(MOST_READ_AHEAD, () => {
        clearImmediate(turn);
        if (!this.#isEnded) return resolve(undefined);
        const chunks = this.#ahead.splice(0);
        resolve(chunks.length === 1 ? chunks[0] : Buffer.concat(chunks));
      });
    });
  }

  /** Holds what comes until it is over, or there is more than this; or until the function that it returns is called. */
  #collect(mostBytes: number, done: () => void): () => void {
    const isOver = () => this.#isEnded || this.#failure !== undefined || this.#aheadBytes > mostBytes;
    const finish = () => {
      this.#progress = undefined;
      this.#mostAhead = 0;
      this.#source.pause();
      done();
    };
    this.#mostAhead = mostBytes;
    this.#progress = () => {
      if (isOver()) finish();
    };
    if (isOver()) finish();
    else this.#resume();
    return finish;
  }

  letGo(): void {
    if (this.#isEnded || this.#failure) return;
    this.#failure = letGo();
    this.#endSource();
  }

  /** Lets a small rest arrive, so that its connection can serve again. */
  drain(): void {
    this.#mostAhead = Number.POSITIVE_INFINITY;
    const timer = setTimeout(() => this.letGo(), DRAIN_MS);
    this.#progress = () => {
      if (this.#isEnded || this.#failure) clearTimeout(timer);
      else if (this.#aheadBytes > MOST_READ_AHEAD) this.letGo();
    };
    this.#resume();
  }

  handOut(terms: StreamTerms, idleMs: number): void {
    if (this.#terms) return;
    this.#terms = terms;
    if (this.#failure && this.#ahead.length === 0) this.destroy(this.#shown(this.#failure));
    if (this.#isEnded || this.#failure) {
      terms.release();
      return;
    }
    terms.onEnd((reason) => this.#fail(reason));
    if (idleMs === 0) return;
    this.#idle = setTimeout(() => {
      if (!this.#isEnded && !this.#source.isPaused()) this.#fail(terms.idleError());
    }, idleMs);
    // Whether the server has gone silent can only be told while something is wanted of it, though nobody may read yet.
    this.#mostAhead = this.readableHighWaterMark;
    if (this.#aheadBytes <= this.#mostAhead) this.#resume();
  }

  override _read(): void {
    for (let chunk = this.#ahead.shift(); chunk; chunk = this.#ahead.shift()) {
      this.#aheadBytes -= chunk.length;
      if (!this.push(chunk)) return;
    }
    if (this.#failure) this.destroy(this.#shown(this.#failure));
    else if (this.#isEnded) this.push(null);
    else {
      this.#isWanted = true;
      this.#resume();
    }
  }

  override _destroy(error: Error | null, done: (error: Error | null) => void): void {
    this.#stopIdleTimer();
    if (!this.#isEnded) this.#endSource();
    this.#terms?.release();
    process.nextTick(() => done(this.listenerCount('error') > 0 ? error : null));
  }

  #resume(): void {
    if (!this.#isStarted) {
      this.#isStarted = true;
      this.#source.on('data', (chunk) => this.#take(chunk));
    }
    this.#idle?.refresh();
    this.#source.resume();
  }

  #take(chunk: Buffer | string): void {
    this.#idle?.refresh();
    if (this.#isWanted) {
      if (this.push(chunk)) return;
      this.#isWanted = false;
    } else {
      const bytes = Buffer.from(chunk as Buffer);
      this.#ahead.push(bytes);
      this.#aheadBytes += bytes.length;
    }
    if (this.#aheadBytes > this.#mostAhead || this.#mostAhead === 0) this.#source.pause();
    this.#progress?.();
  }

  #end(): void {
    this.#isEnded = true;
    this.#stopIdleTimer();
    this.#terms?.release();
    if (this.#isWanted) this.push(null);
    this.#progress?.();
  }

  /** For good: a timer that is refreshed after it was cleared runs again. */
  #stopIdleTimer(): void {
    clearTimeout(this.#idle);
    this.#idle = undefined;
  }

  /** What breaks off before it is handed out breaks off for its reader at the same place; later on it does at once. */
  #fail(error: Error): void {
    if (this.#isEnded || this.#failure) return;
    this.#failure = error;
    if (this.#terms) this.destroy(this.#shown(error));
    else this.#progress?.();
  }

  #shown(error: Error): Error {
    return this.#terms ? this.#terms.expose(error) : error;
  }

  #endSource(): void {
    this.#source.destroy();
    this.#endRequest();
  }
}

function cutShort(): Error {
  return Object.assign(new Error('The connection was closed before the whole answer had arrived.'), {
    code: 'ECONNRESET',
  });
}

/** What is left of an answer that was let go of. */
export function letGo(): Error {
  return new Error('The rest of this answer was let go of while its request waited for a new credential.');
}
