import { Readable } from 'node:stream';

/** More of a streamed answer than this is not read ahead, nor read to its end when nobody wants it. */
export const MOST_READ_AHEAD = 64 * 1024;

/** How long the rest of a small answer that nobody wants may take to arrive before its connection is closed. */
const DRAIN_MS = 1_000;

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

/**
 * The same bytes from a stream that does not lead back to the request. It takes no more from its source than is wanted, and
 * fails as Node's own answers do: by an `error` event only where somebody listens for it, else for whoever reads it later.
 */
export class AnswerStream extends Readable implements OwnedStream {
  readonly #source: Readable;
  /** A request of Node's client: the only way to end a source that waits for another one. */
  readonly #request: unknown;
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

  constructor(source: Readable, request: unknown) {
    super();
    this.#source = source;
    this.#request = request;
    source.on('error', (error) => this.#fail(error));
    source.on('end', () => this.#end());
    source.on('close', () => {
      if (!this.#isEnded) this.#fail(cutShort());
    });
    if (source.readableEnded) this.#isEnded = true;
    else if (source.destroyed) this.#failure = source.errored ?? cutShort();
  }

  readAhead(mostBytes: number, ms: number): Promise<Buffer> {
    return new Promise((resolve) => {
      const isOver = () => this.#isEnded || this.#failure !== undefined || this.#aheadBytes > mostBytes;
      const finish = () => {
        clearTimeout(timer);
        this.#progress = undefined;
        this.#mostAhead = 0;
        this.#source.pause();
        resolve(Buffer.concat(this.#ahead));
      };
      const timer = setTimeout(finish, ms);
      this.#mostAhead = mostBytes;
      this.#progress = () => {
        if (isOver()) finish();
      };
      if (isOver()) finish();
      else this.#resume();
    });
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
    clearTimeout(this.#idle);
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
    clearTimeout(this.#idle);
    this.#terms?.release();
    if (this.#isWanted) this.push(null);
    this.#progress?.();
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
    const request = this.#request as { destroy?: unknown } | null | undefined;
    if (typeof request?.destroy === 'function') request.destroy();
  }
}

/** The same for a web stream, as axios' fetch adapter answers with. */
class WebAnswerStream extends ReadableStream<unknown> implements OwnedStream {
  readonly #reader: ReadableStreamDefaultReader<unknown>;
  readonly #ahead: unknown[] = [];
  /** The chunk that was asked for last and that nobody has taken yet: at most one, so that none is lost. */
  #next: Promise<Chunk> | undefined;
  #terms: StreamTerms | undefined;
  #idleMs = 0;
  #failure: unknown;
  #isOver = false;
  /** Ends the wait for the next chunk. */
  #fail: ((reason: Error) => void) | undefined;

  constructor(source: ReadableStream<unknown>) {
    super(
      {
        pull: (controller) => this.#pull(controller),
        cancel: async (reason) => {
          this.#terms?.release();
          await this.#reader.cancel(reason);
        },
      },
      { highWaterMark: 0 },
    );
    this.#reader = source.getReader();
  }

  async readAhead(mostBytes: number, ms: number): Promise<Buffer> {
    const chunks: Buffer[] = [];
    let timer: NodeJS.Timeout | undefined;
    const tooLate = new Promise<void>((resolve) => {
      timer = setTimeout(resolve, ms);
    });
    try {
      for (let bytes = 0; bytes <= mostBytes && !this.#isOver; ) {
        this.#next ??= this.#reader.read();
        const read = await Promise.race([this.#next, tooLate]);
        if (!read) break;
        this.#next = undefined;
        if (read.done) {
          this.#isOver = true;
        } else {
          const chunk = Buffer.from(read.value as Uint8Array);
          this.#ahead.push(read.value);
          chunks.push(chunk);
          bytes += chunk.length;
        }
      }
    } catch (error) {
      this.#isOver = true;
      this.#failure = error;
    }
    clearTimeout(timer);
    return Buffer.concat(chunks);
  }

  letGo(): void {
    if (this.#isOver) return;
    this.#isOver = true;
    this.#failure = letGo();
    this.#reader.cancel().catch(() => {});
  }

  handOut(terms: StreamTerms, idleMs: number): void {
    this.#terms = terms;
    this.#idleMs = idleMs;
    if (this.#isOver) {
      terms.release();
      return;
    }
    terms.onEnd((reason) => this.#fail?.(reason));
    if (idleMs > 0 && this.#ahead.length === 0) this.#next = this.#inTime(this.#next ?? this.#reader.read(), terms);
  }

  async #pull(controller: ReadableStreamDefaultController<unknown>): Promise<void> {
    if (this.#ahead.length > 0) return controller.enqueue(this.#ahead.shift());
    const terms = this.#terms;
    try {
      if (this.#failure !== undefined) throw this.#failure;
      const { done, value } = this.#isOver ? { done: true } : await this.#take(terms);
      if (!done) return controller.enqueue(value);
      controller.close();
    } catch (error) {
      controller.error(terms ? terms.expose(error) : error);
    }
    terms?.release();
  }

  async #take(terms: StreamTerms | undefined): Promise<Chunk> {
    const next = this.#next ?? this.#reader.read();
    this.#next = undefined;
    return terms && !this.#fail ? this.#inTime(next, terms) : next;
  }

  /** A chunk, unless the call ends or the server is silent for too long; then the source is let go of. */
  #inTime(chunk: Promise<Chunk>, terms: StreamTerms): Promise<Chunk> {
    const inTime = new Promise<Chunk>((resolve, reject) => {
      const fail = (reason: Error) => {
        this.#reader.cancel(reason).catch(() => {});
        reject(reason);
      };
      const timer = this.#idleMs > 0 ? setTimeout(() => fail(terms.idleError()), this.#idleMs) : undefined;
      this.#fail = fail;
      chunk.then(resolve, reject).finally(() => {
        clearTimeout(timer);
        this.#fail = undefined;
      });
    });
    inTime.catch(() => {}); // nobody may be reading when it fails
    return inTime;
  }
}

interface Chunk {
  readonly done: boolean;
  readonly value?: unknown;
}

function cutShort(): Error {
  return Object.assign(new Error('The connection was closed before the whole answer had arrived.'), {
    code: 'ECONNRESET',
  });
}

function letGo(): Error {
  return new Error('The rest of this answer was let go of while its request waited for a new credential.');
}
