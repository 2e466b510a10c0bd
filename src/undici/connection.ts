import type { Socket } from 'node:net';

/** An interim answer, as a whole; a 101 is none of them, as nothing that undici understands comes after it. */
const INTERIM = /^HTTP\/1\.1 10[02-9][^\r\n]*\r\n(?:[^\r\n]+\r\n)*\r\n/;

/** What one begins with, as far as it has arrived. */
const INTERIM_START = 'HTTP/1.1 10';

/** As much as Node and undici take for the head of an answer, unless told otherwise. */
const MOST_HEAD_BYTES = 16 * 1024;

/**
 * A connection of undici's, seen to where undici takes the bytes from it. Two things of undici's are put right there:
 *
 * - Who reads slowly makes the connection wait, not undici's parser. A parser that waits does not get over the end of its
 *   connection: an assertion ends the process, whole answers pass for cut off, or calls hang (nodejs/undici#5360). An end
 *   that comes after bytes that nobody has taken yet is no end: so streams work, and so does Node's client.
 * - Interim answers (RFC 9110, 15.2) are left out. Nobody here waits for one, and undici breaks off at a 100.
 */
export class Connection {
  static #lastRead: Connection | undefined;

  /** The one whose bytes undici is parsing, as parsing goes on at once where bytes are taken. */
  static get ofAnswer(): Connection | undefined {
    return Connection.#lastRead;
  }

  readonly #socket: Socket;
  readonly #take: Socket['read'];
  #isHeld = false;
  #isBetweenAnswers = true;
  /** An interim answer of which the rest has not come yet. */
  #begun: Buffer | undefined;

  constructor(socket: Socket) {
    this.#socket = socket;
    this.#take = socket.read.bind(socket);
    socket.read = (size) => this.#read(size);
  }

  /** Nothing more is taken from now on. What arrives stays where it is, and soon its sender waits. */
  hold(): void {
    this.#isHeld = true;
  }

  release(): void {
    if (!this.#isHeld) return;
    this.#isHeld = false;
    // Not at once: this may be called while undici parses, and its parser cannot be called from within.
    process.nextTick(() => {
      if (!this.#socket.destroyed) this.#socket.emit('readable');
    });
  }

  /** An answer is over; what comes now begins another one. */
  answered(): void {
    this.#isBetweenAnswers = true;
    this.release();
  }

  #read(size: number | undefined): Buffer | null {
    if (size !== undefined) return this.#take(size); // a stream's own way to go on
    if (this.#isHeld) return null;
    Connection.#lastRead = this;
    const bytes: Buffer | null = this.#take();
    return bytes && this.#isBetweenAnswers ? this.#withoutInterim(bytes) : bytes;
  }

  #withoutInterim(bytes: Buffer): Buffer | null {
    let rest = this.#begun ? Buffer.concat([this.#begun, bytes]) : bytes;
    this.#begun = undefined;
    while (rest.length > 0 && mayBeInterim(rest)) {
      const head = rest.toString('latin1', 0, MOST_HEAD_BYTES);
      const interim = INTERIM.exec(head)?.[0];
      if (interim) rest = rest.subarray(interim.length);
      else if (head.length === MOST_HEAD_BYTES || head.includes('\r\n\r\n')) break;
      else {
        this.#begun = rest;
        return null;
      }
    }
    if (rest.length === 0) return null;
    this.#isBetweenAnswers = false;
    return rest;
  }
}

function mayBeInterim(bytes: Buffer): boolean {
  return INTERIM_START.startsWith(bytes.toString('latin1', 0, INTERIM_START.length));
}
