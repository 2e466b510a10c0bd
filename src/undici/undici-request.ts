import { AsyncResource } from 'node:async_hooks';
import { type ClientRequest, type IncomingHttpHeaders, type IncomingMessage, STATUS_CODES } from 'node:http';
import { Readable, Writable } from 'node:stream';
import type { Dispatcher } from 'undici';
import { Connection } from './connection';
import type { ConnectionPool } from './connection-pool';
import { MAX_TIMER_MS, type RequestOptions, sendOverNode } from './node-client';
import { connectionReset, errorAsOfNode, headersAsOfNode, UNASKED_SWITCH } from './node-terms';

/**
 * A request in the shape of `http.ClientRequest`, as far as axios and streams use it. It goes over undici if its body is at
 * hand in one piece, or if it has none; over Node's client otherwise: undici breaks an upload off whose answer ends first,
 * and fails at a `content-length` that is not right.
 */
export class UndiciRequest extends Writable implements Dispatcher.DispatchHandler {
  readonly #pool: ConnectionPool;
  readonly #options: RequestOptions;
  readonly #onResponse: (response: Readable) => void;
  /** The caller's async context; undici calls in that of whoever opened the connection. */
  readonly #context = new AsyncResource('QelosAuthRequest');
  #controller: Dispatcher.DispatchController | undefined;
  #response: UndiciResponse | IncomingMessage | undefined;
  /** What sends it where undici does not. */
  #overNode: ClientRequest | undefined;
  #isDispatched = false;
  #isWaiting = false;
  #timer: NodeJS.Timeout | undefined;
  #timeout: [milliseconds: number, onTimeout: () => void] | undefined;

  constructor(pool: ConnectionPool, options: RequestOptions, onResponse: (response: Readable) => void) {
    super({ autoDestroy: false });
    this.#pool = pool;
    this.#options = options;
    this.#onResponse = onResponse;
  }

  /** Until the answer begins it is the time since now, then that without a byte; so it is with axios over `node:http`. */
  setTimeout(milliseconds: number, onTimeout: () => void): this {
    if (milliseconds <= 0) return this;
    this.#timeout = [milliseconds, onTimeout];
    this.#timer = setTimeout(onTimeout, Math.min(milliseconds, MAX_TIMER_MS)).unref();
    return this;
  }

  override _write(chunk: Buffer, _encoding: string, done: () => void): void {
    if (this.#isDispatched) {
      done(); // more than was announced: whoever reads would take it for the next request
    } else if (!this.#overNode && chunk.length > 0 && this.#contentLength() === String(chunk.length)) {
      this.#dispatch(chunk);
      done();
    } else {
      this.#overNode ??= this.#sendOverNode();
      // Not by its `drain`, which never comes once the answer has ended. Failures are told by `error` and `close`.
      const hasRoom: boolean = this.#overNode.write(chunk, () => hasRoom || done());
      if (hasRoom) done();
    }
  }

  override _final(done: () => void): void {
    if (!this.#isDispatched && !this.#overNode) {
      if (this.#contentLength() === undefined) this.#dispatch(null);
      else this.#overNode = this.#sendOverNode();
    }
    this.#overNode?.end();
    done();
  }

  override _destroy(error: Error | null, done: (error: Error | null) => void): void {
    clearTimeout(this.#timer);
    this.#stopWaiting();
    const response = this.#response;
    const reason = error ?? (response ? null : connectionReset('socket hang up'));
    if (this.#overNode) this.#overNode.destroy(reason ?? undefined);
    else {
      if (response) this.once('close', () => response.complete || response.destroy(connectionReset('aborted')));
      if (!response?.complete) this.#controller?.abort(reason ?? connectionReset('aborted'));
    }
    done(reason);
  }

  onRequestStart(controller: Dispatcher.DispatchController): void {
    this.#controller = controller;
    this.#stopWaiting();
    if (this.destroyed) controller.abort(connectionReset('aborted'));
  }

  onResponseStart(
    controller: Dispatcher.DispatchController,
    statusCode: number,
    _headers: IncomingHttpHeaders,
    statusMessage = STATUS_CODES[statusCode] ?? '',
  ): void {
    if (statusCode === 101) controller.abort(connectionReset(UNASKED_SWITCH));
    if (statusCode < 200) return;
    const { rawHeaders } = controller;
    const headers = headersAsOfNode(rawHeaders as Buffer[]);
    const response = new UndiciResponse(this, statusCode, statusMessage, headers, Connection.ofAnswer);
    this.#timer?.refresh();
    this.#response = response;
    this.#context.runInAsyncScope(this.#onResponse, undefined, response);
  }

  onResponseData(_controller: Dispatcher.DispatchController, chunk: Buffer): void {
    this.#timer?.refresh();
    this.#context.runInAsyncScope(this.#receive, this, chunk);
  }

  onResponseEnd(): void {
    this.#context.runInAsyncScope(this.#end, this);
  }

  onResponseError(_controller: Dispatcher.DispatchController, error: Error): void {
    if (this.#isWholeAfterAll(error)) {
      this.onResponseEnd();
    } else {
      const stage = this.#response ? 'receiving' : this.#controller ? 'waiting' : 'connecting';
      this.#context.runInAsyncScope(this.destroy, this, errorAsOfNode(error, stage));
    }
  }

  #receive(chunk: Buffer): void {
    (this.#response as UndiciResponse | undefined)?.receive(chunk);
  }

  #end(): void {
    (this.#response as UndiciResponse | undefined)?.end();
    this.destroy();
  }

  /** undici 7 waits for the body that a 204 or 304 announces and never has (RFC 9110, 8.6). */
  #isWholeAfterAll(error: Error & { code?: unknown }): boolean {
    const status = this.#response?.statusCode;
    return error.code === 'UND_ERR_RES_CONTENT_LENGTH_MISMATCH' && (status === 204 || status === 304);
  }

  #contentLength(): string | string[] | undefined {
    const { headers } = this.#options;
    for (const name in headers) if (name.toLowerCase() === 'content-length') return headers[name];
    return undefined;
  }

  #stopWaiting(): void {
    if (!this.#isWaiting) return;
    this.#isWaiting = false;
    this.#pool.served();
  }

  #dispatch(body: Buffer | null): void {
    this.#isDispatched = true;
    this.#isWaiting = true;
    const { protocol, hostname, port, path, method, headers } = this.#options;
    const host = hostname.includes(':') ? `[${hostname}]` : hostname;
    const origin = `${protocol}//${host}${port ? `:${port}` : ''}`;
    this.#pool.dispatch({ origin, path, method: method as Dispatcher.HttpMethod, headers, body, reset: false }, this);
  }

  #sendOverNode(): ClientRequest {
    const request = sendOverNode(this.#options, (response) => {
      clearTimeout(this.#timer);
      this.#response = response;
      this.#onResponse(response);
    });
    if (this.#timeout) request.setTimeout(...this.#timeout);
    return request
      .on('socket', (socket) => this.emit('socket', socket))
      .on('error', (error) => this.destroy(error))
      .on('close', () => this.destroy());
  }
}

/** An answer in the shape of `http.IncomingMessage`, as far as axios and streams use it. */
class UndiciResponse extends Readable {
  readonly req: UndiciRequest;
  readonly statusCode: number;
  readonly statusMessage: string;
  readonly headers: Record<string, string | string[]>;
  /** Whether all of it has arrived. */
  complete = false;
  aborted = false;
  readonly #connection: Connection | undefined;

  constructor(
    req: UndiciRequest,
    statusCode: number,
    statusMessage: string,
    headers: Record<string, string | string[]>,
    connection: Connection | undefined,
  ) {
    super();
    this.req = req;
    this.statusCode = statusCode;
    this.statusMessage = statusMessage;
    this.headers = headers;
    this.#connection = connection;
  }

  receive(chunk: Buffer): void {
    if (!this.push(chunk)) this.#connection?.hold();
  }

  end(): void {
    this.complete = true;
    this.#connection?.answered();
    this.push(null);
  }

  override _read(): void {
    if (!this.complete) this.#connection?.release();
  }

  override _destroy(error: Error | null, done: (error?: Error | null) => void): void {
    if (!this.complete || !this.readableEnded) {
      this.aborted = true;
      this.emit('aborted');
    }
    if (!this.complete) this.req.destroy();
    process.nextTick(() => done(this.listenerCount('error') > 0 ? error : null)); // as Node: an error for whoever listens
  }
}
