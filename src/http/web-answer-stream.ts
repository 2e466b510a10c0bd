import { ReadableStream } from 'node:stream/web'; // not the global one, which jsdom hides: the module has to load all the same
import { letGo } from './answer-stream';
import type { OwnedStream, StreamTerms } from './owned-stream';

interface Chunk {
  readonly done: boolean;
  readonly value?: unknown;
}

/** The same for a web stream, as axios' fetch adapter answers with. */
export class WebAnswerStream extends ReadableStream<unknown> implements OwnedStream {
  readonly #reader: ReadableStreamDefaultReader<unknown>;
  readonly #endRequest: () => void;
  readonly #ahead: unknown[] = [];
  /** The chunk that was asked for last and that nobody has taken yet: at most one, so that none is lost. */
  #next: Promise<Chunk> | undefined;
  #terms: StreamTerms | undefined;
  #idleMs = 0;
  #failure: unknown;
  #isOver = false;
  /** Ends the wait for the next chunk. */
  #fail: ((reason: Error) => void) | undefined;

  constructor(source: ReadableStream<unknown>, endRequest: () => void) {
    super(
      {
        pull: (controller) => this.#pull(controller),
        cancel: async (reason) => {
          this.#isOver = true;
          await this.#end(reason);
        },
      },
      { highWaterMark: 0 },
    );
    this.#reader = source.getReader();
    this.#endRequest = endRequest;
  }

  get isWhole(): boolean {
    return this.#isOver && this.#failure === undefined;
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
    if (!this.#isOver) this.#breakOff(letGo());
  }

  handOut(terms: StreamTerms, idleMs: number): void {
    if (this.#terms) return;
    this.#terms = terms;
    this.#idleMs = idleMs;
    if (this.#isOver) {
      terms.release();
      return;
    }
    terms.onEnd((reason) => (this.#fail ? this.#fail(reason) : this.#breakOff(reason)));
    if (idleMs > 0 && this.#ahead.length === 0) this.#next = this.#inTime(this.#next ?? this.#reader.read(), terms);
  }

  #breakOff(reason: Error): void {
    this.#isOver = true;
    this.#failure = reason;
    this.#end(reason).catch(() => {});
  }

  /** Cancelling alone waits for the chunk that was asked for last, where axios stands in between. */
  #end(reason: unknown): Promise<void> {
    this.#endRequest();
    this.#terms?.release();
    return this.#reader.cancel(reason);
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
        reject(reason);
        this.#breakOff(reason);
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
