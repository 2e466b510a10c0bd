import { Readable } from 'node:stream';
import { isAnyArrayBuffer } from 'node:util/types';

/** What a body has to do to be piped into a request; legacy streams, such as those of form-data, do no more. */
interface Source {
  on(event: string, listener: (value: never) => void): unknown;
  pipe(target: unknown): unknown;
  pause?(): unknown;
  resume?(): unknown;
  readonly destroyed?: boolean;
  readonly readableEnded?: boolean;
}

/** What axios asks a form of the form-data package for. */
interface Form extends Source {
  getHeaders(...given: unknown[]): unknown;
  getLength(callback: (error: unknown, length: unknown) => void): void;
}

/** Whether a body, as transforms leave it, can be sent a second time. A stream is empty by then. */
export function isReplayable(data: unknown): boolean {
  return (
    data === undefined ||
    data === null ||
    typeof data === 'string' ||
    isAnyArrayBuffer(data) ||
    ArrayBuffer.isView(data) ||
    data instanceof URLSearchParams ||
    data instanceof Blob ||
    data instanceof FormData
  );
}

/**
 * What is sent in the place of a body: a stream is replaced by a stand-in, as `pipe()` notes the request in the stream
 * that it reads, and the request leads to the credential. The caller's own stream is known to listeners alone.
 */
export function uploadOf(data: unknown): unknown {
  if (typeof data !== 'object' || data === null || data instanceof UploadStream) return data;
  if (!('pipe' in data) || typeof data.pipe !== 'function') return data;
  return isForm(data) ? new UploadForm(data) : new UploadStream(data as Source);
}

function isForm(data: object): data is Form {
  return 'getHeaders' in data && typeof data.getHeaders === 'function' && 'getLength' in data;
}

/** Passes on what a stream gives, chunk by chunk and no faster than it is taken; it ends and fails with it. */
class UploadStream extends Readable {
  readonly #source: Source;
  #isStarted = false;
  #isEnded = false;
  /** What happened to the source before anybody read: whoever reads is told, and nobody else may be there to hear of it. */
  #failure: Error | undefined;

  constructor(source: Source) {
    super({ objectMode: true, highWaterMark: 1 });
    this.#source = source;
    // Piping a source that is gone would send an empty body in the place of its own.
    if (source.readableEnded || source.destroyed) this.#failure = alreadyRead();
    source.on('end', () => {
      if (!this.#isStarted) return this.#fail(alreadyRead());
      this.#isEnded = true;
      this.push(null);
    });
    source.on('error', (error: Error) => this.#fail(error));
    source.on('close', () => {
      if (!this.#isEnded) this.#fail(this.#isStarted ? undefined : alreadyRead());
    });
    this.on('error', () => {}); // told by the request
  }

  override _read(): void {
    if (this.#failure) {
      this.destroy(this.#failure);
      return;
    }
    if (!this.#isStarted) {
      this.#isStarted = true;
      this.#source.on('data', (chunk: never) => {
        if (!this.push(chunk)) this.#source.pause?.();
      });
    }
    this.#source.resume?.();
  }

  override _destroy(error: Error | null, done: (error: Error | null) => void): void {
    if (!this.#isEnded) this.#source.pause?.();
    done(error);
  }

  #fail(error: Error | undefined): void {
    if (this.#isStarted) this.destroy(error);
    else this.#failure ??= error;
  }
}

/** A stand-in that axios takes for the form it stands for. */
class UploadForm extends UploadStream {
  readonly #form: Form;

  constructor(form: Form) {
    super(form);
    this.#form = form;
  }

  get [Symbol.toStringTag](): string {
    return 'FormData';
  }

  /** axios knows a form by it, and never calls it once the body is made. */
  append(): void {}

  getHeaders(...given: unknown[]): unknown {
    return this.#form.getHeaders(...given);
  }

  getLength(callback: (error: unknown, length: unknown) => void): void {
    this.#form.getLength(callback);
  }
}

function alreadyRead(): Error {
  return new Error('The stream of the request body has been read or closed before. Make a new one for each request.');
}
