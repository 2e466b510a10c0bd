import http, { type IncomingHttpHeaders, type RequestOptions, STATUS_CODES, validateHeaderName } from 'node:http';
import https from 'node:https';
import { Socket } from 'node:net';
import { Readable, Writable } from 'node:stream';
import type { Dispatcher } from 'undici';
import { AuthError } from '../errors';

/** What axios hands to a `transport`: options as of `http.request`, made by axios from the request's config. */
interface Options extends RequestOptions {
  agent?: http.Agent | undefined;
  hostname: string;
  path: string;
  method: string;
  protocol: string;
  headers: Record<string, string | string[]>;
  insecureHTTPParser?: boolean;
}

type OnResponse = (response: Readable) => void;

/** What axios' http adapter can send with, in place of `node:http` and `node:https`: its setting `transport`. */
export interface Transport {
  request(options: object, onResponse: OnResponse): Writable;
}

/** Before 7.28, handlers do not get headers as they arrived; before 8.3, chunks that are cut short pass for whole. */
const USABLE = /^(7\.(2[89]|[3-9]\d)|8\.([3-9]|\d\d))\./;

/**
 * What the option `transport` names; undefined: Node's own client.
 *
 * @throws AuthError `ERR_AUTH_CONFIG` if there is no such transport, or it cannot be used
 */
export function transportFor(name: string | undefined): Transport | undefined {
  if (name === undefined) return undefined;
  if (name === 'undici') return loadUndiciTransport();
  throw new AuthError('ERR_AUTH_CONFIG', "The option transport is something else than 'undici'.", {
    hint: "Set it to 'undici', or remove it for Node's own client.",
  });
}

/**
 * undici in the place of Node's own client, below axios' http adapter: so whatever axios does with a request (time-outs,
 * limits, progress, decompression, aborts) stays as it is. What undici cannot do as `node:http` does goes over that.
 *
 * @throws AuthError `ERR_AUTH_CONFIG` if undici is not installed, or in a version that cannot be used
 */
export function loadUndiciTransport(): Transport {
  const pool = sharedPool();
  return {
    request(options, onResponse) {
      const wanted = options as Options;
      if (!isForUndici(wanted)) return overNode(wanted, onResponse);
      return new UndiciRequest(pool, wanted, onResponse);
    },
  };
}

/** axios times the connecting only of requests that it sends by `node:http` without a transport in between. */
function overNode(options: Options, onResponse: OnResponse): Writable {
  const request = (options.protocol === 'https:' ? https : http).request(options, onResponse);
  const setIdleTimeout = request.setTimeout;
  request.setTimeout = (milliseconds, onTimeout = () => {}) => {
    if (milliseconds > 0) {
      const timer = setTimeout(onTimeout, milliseconds);
      for (const end of ['response', 'close']) request.once(end, () => clearTimeout(timer));
    }
    return setIdleTimeout.call(request, milliseconds, onTimeout);
  };
  return request;
}

/** Longer than anybody waits for a connection; so those that never come about do not pile up. */
const CONNECT_TIMEOUT_MS = 60_000;

let shared: Pool | undefined;

/** One pool of connections for all instances, as Node's global agents are; idle ones keep no process alive. */
function sharedPool(): Pool {
  shared ??= new Pool(loadUndici());
  return shared;
}

/** undici's pool, which gives up connections that are still being made when nobody waits for them any more: undici does not. */
class Pool {
  readonly #agent: Dispatcher;
  readonly #connecting = new Set<Socket>();
  #waiting = 0;

  constructor({ Agent, buildConnector }: typeof import('undici')) {
    const connect = buildConnector({ timeout: CONNECT_TIMEOUT_MS, allowH2: false });
    this.#agent = new Agent({
      // No time limits of undici's own: those of a request are its caller's to set.
      headersTimeout: 0,
      bodyTimeout: 0,
      connect: (options, callback) => {
        const done = ((...result: Parameters<typeof callback>) => {
          this.#connecting.delete(socket as Socket);
          callback(...result);
        }) as typeof callback;
        const socket: unknown = connect(options, done);
        if (socket instanceof Socket) this.#connecting.add(socket);
      },
    });
  }

  dispatch(options: Dispatcher.DispatchOptions, handler: Dispatcher.DispatchHandler): void {
    this.#waiting += 1;
    this.#agent.dispatch(options, handler);
  }

  /** To be called once for each request, when it has a connection or needs none any more. */
  served(): void {
    this.#waiting -= 1;
    if (this.#waiting > 0) return;
    for (const socket of this.#connecting) socket.destroy(connectionReset('aborted'));
  }
}

function loadUndici(): typeof import('undici') {
  let version: unknown;
  try {
    version = require('undici/package.json').version;
    if (USABLE.test(String(version))) return require('undici');
  } catch (cause) {
    const isMissing = (cause as { code?: unknown }).code === 'MODULE_NOT_FOUND' && version === undefined;
    throw isMissing
      ? new AuthError('ERR_AUTH_CONFIG', "The option transport is 'undici', and undici is not installed.", {
          hint: 'Run `npm install undici`, or remove the option.',
          cause,
        })
      : unusable(version, cause);
  }
  throw unusable(version, undefined);
}

function unusable(version: unknown, cause: unknown): AuthError {
  return new AuthError(
    'ERR_AUTH_CONFIG',
    `The option transport is 'undici', and undici ${version} cannot be used with Node ${process.versions.node}.`,
    {
      hint: 'Install undici 7.28 (from Node 20.18.1 on), 8.3 (from Node 22.19 on) or a later one of these, or remove the option.',
      cause,
    },
  );
}

/** Headers that undici refuses, or that say how a message ends: it writes these itself. */
const LEFT_TO_NODE = new Set(['connection', 'expect', 'keep-alive', 'te', 'trailer', 'transfer-encoding', 'upgrade']);

/** Methods of which undici expects no body. */
const WITHOUT_BODY = new Set(['CONNECT', 'GET', 'HEAD', 'OPTIONS', 'TRACE']);

/** Whether undici sends this as Node would. */
function isForUndici(options: Options): boolean {
  const { agent, auth, family, insecureHTTPParser, lookup, method, path, protocol, socketPath } = options;
  if (agent || auth || family || insecureHTTPParser || lookup || socketPath) return false;
  if (!isUntouched(protocol === 'https:' ? https : http)) return false;
  if (path[0] !== '/' || /[^\x21-\xff]/.test(path)) return false;
  for (const name in options.headers) {
    validateHeaderName(name); // fails as in Node
    const lower = name.toLowerCase();
    if (LEFT_TO_NODE.has(lower)) return false;
    if (lower === 'content-length' && WITHOUT_BODY.has(method)) return false;
  }
  return true;
}

/** Options of an agent that say nothing about where or how it connects. */
const HARMLESS = new Set(['defaultPort', 'keepAlive', 'noDelay', 'protocol', 'scheduling', 'timeout']);

/** Whether Node's global agent, which an axios request without an agent gets, is one as Node makes it. */
function isUntouched({ Agent, globalAgent }: typeof http | typeof https): boolean {
  if (Object.getPrototypeOf(globalAgent) !== Agent.prototype || Object.hasOwn(globalAgent, 'createConnection'))
    return false;
  if (globalAgent.maxSockets !== Number.POSITIVE_INFINITY) return false;
  if (globalAgent.maxTotalSockets !== Number.POSITIVE_INFINITY) return false;
  const { options } = globalAgent as { options?: Record<string, unknown> };
  for (const name in options) if (!HARMLESS.has(name) && (options[name] ?? undefined) !== undefined) return false;
  return true;
}

/** A request in the shape of `http.ClientRequest`, as far as axios and streams use it. */
class UndiciRequest extends Writable implements Dispatcher.DispatchHandler {
  readonly #pool: Pool;
  readonly #options: Options;
  readonly #onResponse: OnResponse;
  #controller: Dispatcher.DispatchController | undefined;
  #response: UndiciResponse | undefined;
  /** What is sent after the first chunk, where that was not all. */
  #body: Readable | undefined;
  #isDispatched = false;
  #isWaiting = false;
  /** Takes the next chunk of the body. */
  #ready: (() => void) | undefined;
  #timer: NodeJS.Timeout | undefined;

  constructor(pool: Pool, options: Options, onResponse: OnResponse) {
    super({ autoDestroy: false });
    this.#pool = pool;
    this.#options = options;
    this.#onResponse = onResponse;
  }

  /** Until the answer begins it is the time since now, then that without a byte; so it is with axios over `node:http`. */
  setTimeout(milliseconds: number, onTimeout: () => void): this {
    if (milliseconds > 0) this.#timer = setTimeout(onTimeout, milliseconds).unref();
    return this;
  }

  override _write(chunk: Buffer, _encoding: string, done: () => void): void {
    if (!this.#isDispatched && Number(this.#contentLength()) === chunk.length) {
      this.#dispatch(chunk);
      done();
      return;
    }
    // Of objects, as undici writes a length of its own for bytes that have all come before it is connected.
    if (!this.#body) {
      this.#body = new Readable({ objectMode: true, highWaterMark: 1, read: () => this.#takeNext() });
      this.#body.on('error', () => {}); // told by the request
    }
    this.#ready = done;
    this.#body.push(chunk);
    this.#dispatch(this.#body);
  }

  override _final(done: () => void): void {
    if (this.#body) this.#body.push(null);
    else this.#dispatch(null);
    done();
  }

  override _destroy(error: Error | null, done: (error: Error | null) => void): void {
    clearTimeout(this.#timer);
    this.#body?.destroy();
    this.#stopWaiting();
    const response = this.#response;
    const reason = error ?? (response ? null : connectionReset('socket hang up'));
    if (response) this.once('close', () => response.complete || response.destroy(connectionReset('aborted')));
    if (!response?.complete) this.#controller?.abort(reason ?? connectionReset('aborted'));
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
    statusMessage = STATUS_CODES[statusCode],
  ): void {
    if (statusCode < 200) return; // early hints
    this.#timer?.refresh();
    this.#response = new UndiciResponse(this, controller, statusCode, statusMessage ?? '');
    this.#onResponse(this.#response);
  }

  onResponseData(controller: Dispatcher.DispatchController, chunk: Buffer): void {
    this.#timer?.refresh();
    if (this.#response?.push(chunk) === false) controller.pause();
  }

  onResponseEnd(): void {
    this.#response?.end();
    this.destroy();
  }

  onResponseError(_controller: Dispatcher.DispatchController, error: Error): void {
    this.destroy(asOfNode(error, this.#controller === undefined));
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

  #takeNext(): void {
    const ready = this.#ready;
    this.#ready = undefined;
    ready?.();
  }

  #dispatch(body: Buffer | Readable | null): void {
    if (this.#isDispatched) return;
    this.#isDispatched = true;
    this.#isWaiting = true;
    const { protocol, hostname, port, path, method, headers } = this.#options;
    const host = hostname.includes(':') ? `[${hostname}]` : hostname;
    const origin = `${protocol}//${host}${port ? `:${port}` : ''}`;
    this.#pool.dispatch({ origin, path, method: method as Dispatcher.HttpMethod, headers, body, reset: false }, this);
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
  readonly #controller: Dispatcher.DispatchController;

  constructor(
    req: UndiciRequest,
    controller: Dispatcher.DispatchController,
    statusCode: number,
    statusMessage: string,
  ) {
    super();
    this.req = req;
    this.statusCode = statusCode;
    this.statusMessage = statusMessage;
    this.headers = headersOf(controller.rawHeaders as Buffer[]);
    this.#controller = controller;
  }

  end(): void {
    this.complete = true;
    this.push(null);
  }

  override _read(): void {
    this.#controller.resume();
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

/** Headers of which Node keeps the first alone; it joins the others (the documentation of `message.headers`). */
const FIRST_ALONE = new Set(
  (
    'age authorization content-length content-type etag expires from host if-modified-since if-unmodified-since ' +
    'last-modified location max-forwards proxy-authorization referer retry-after server user-agent'
  ).split(' '),
);

/** The headers as Node shows them: lower case, each byte a character, duplicates joined. */
function headersOf(raw: readonly Buffer[]): Record<string, string | string[]> {
  const headers: Record<string, string | string[]> = {};
  for (let i = 0; i + 1 < raw.length; i += 2) {
    const name = (raw[i] as Buffer).toString('latin1').toLowerCase();
    const value = (raw[i + 1] as Buffer).toString('latin1');
    const present = headers[name];
    if (name === 'set-cookie') headers[name] = Array.isArray(present) ? [...present, value] : [value];
    else if (present === undefined) headers[name] = value;
    else if (!FIRST_ALONE.has(name)) headers[name] = `${present}${name === 'cookie' ? '; ' : ', '}${value}`;
  }
  return headers;
}

/** What Node's client would have failed with; undefined for a connection that was closed on it. */
function asOfNode(error: Error, isConnecting: boolean): Error | undefined {
  const { code, name, message } = error as { code?: string } & Error;
  if (code === 'UND_ERR_SOCKET' || code === 'UND_ERR_RES_CONTENT_LENGTH_MISMATCH') return undefined;
  if (code === 'UND_ERR_HEADERS_OVERFLOW') return failure('Parse Error: Header overflow', 'HPE_HEADER_OVERFLOW');
  if (code === 'UND_ERR_CONNECT_TIMEOUT') return failure('connect ETIMEDOUT', 'ETIMEDOUT');
  // Node writes the request while TLS is being agreed on, and it is this that fails.
  if (isConnecting && code?.startsWith('ERR_SSL_')) return failure(`write EPROTO ${message}`, 'EPROTO');
  if (name !== 'HTTPParserError') return error;
  const reason = /\(([^)]*)\)$/.exec(message)?.[1] ?? message;
  if (reason === 'Invalid EOF state') return undefined;
  const known = PARSE_ERRORS.find(([start]) => reason.startsWith(start));
  return failure(`Parse Error: ${reason}`, known?.[1] ?? 'ERR_BAD_RESPONSE');
}

/** undici keeps the parser's reason and loses its code. */
const PARSE_ERRORS = [
  ['Expected HTTP/', 'HPE_INVALID_CONSTANT'],
  ['Invalid character in chunk size', 'HPE_INVALID_CHUNK_SIZE'],
  ['Invalid header', 'HPE_INVALID_HEADER_TOKEN'],
  ['Invalid status code', 'HPE_INVALID_STATUS'],
] as const;

function connectionReset(message: string): Error {
  return failure(message, 'ECONNRESET');
}

function failure(message: string, code: string): Error {
  return Object.assign(new Error(message), { code });
}
