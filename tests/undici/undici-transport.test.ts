import { subscribe, unsubscribe } from 'node:diagnostics_channel';
import { once } from 'node:events';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import http, { type IncomingHttpHeaders, type IncomingMessage, type ServerResponse } from 'node:http';
import https from 'node:https';
import { type AddressInfo, createServer as createTcpServer, type Server, type Socket } from 'node:net';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { Readable } from 'node:stream';
import { connect as connectTls } from 'node:tls';
import { brotliCompressSync, deflateRawSync, deflateSync, gzipSync } from 'node:zlib';
import { afterAll, beforeAll, describe, expect, it, jest } from '@jest/globals';
import axios, { type AxiosProgressEvent, type AxiosRequestConfig, type AxiosResponse } from 'axios';
import fc from 'fast-check';
import NodeFormData from 'form-data';
import { undici } from 'qelos-auth/undici';
import { createQelosAuth, isAuthError, TenantAuth } from '../../src';
import { startBackend } from '../support/backend';
import { selfSigned } from '../support/certificate';
import { runChild } from '../support/child';
import { whenDone } from '../support/when-done';

/** How a request went, in plain data, so that two ways can be held against each other. */
type Outcome = Record<string, unknown>;

interface Received {
  method: string | undefined;
  url: string | undefined;
  headers: IncomingHttpHeaders;
  body: string;
}

interface Scenario {
  readonly name: string;
  /** Makes the request anew for each way. */
  readonly request: (urls: typeof base) => AxiosRequestConfig;
  /** What answers, at the path of its own that each scenario has. */
  readonly answer?: (response: ServerResponse, request: IncomingMessage) => void;
  /** Bytes of a server that speaks no proper HTTP; it closes after them. */
  readonly bytes?: string;
  /** Left to Node's client. */
  readonly overNode?: true;
  /** What the outcome has to hold at least, so that two equal failures don't pass for success. */
  readonly outcome: Outcome;
}

const base = { http: '', https: '', refused: '', bytes: '', mute: '' };
const text = 'The spice must flow. '.repeat(400);
const json = (response: ServerResponse) => {
  response.setHeader('content-type', 'application/json');
  response.end(JSON.stringify({ text }));
};
const plain = (response: ServerResponse) => void response.end(text);
const pieces = () => Readable.from([Buffer.from(text), Buffer.from(text)], { objectMode: false });
const encoded = (encoding: string, body: Buffer) => (response: ServerResponse) => {
  response.writeHead(200, { 'content-encoding': encoding }).end(body);
};
const get = (config: AxiosRequestConfig = {}) => ({ request: () => config });
const post = (data: () => unknown, config: AxiosRequestConfig = {}) => ({
  request: () => ({ method: 'post', data: data(), ...config }),
});
/** Answers with what it got: so both ways are seen to have sent the same. */
const echo = (response: ServerResponse) => json(response);
const stalled = (response: ServerResponse) => void response.writeHead(200, { 'content-length': '100' }).write('begun');
const silent = () => {};
/** What a request does when it has arrived and waits; so nothing depends on how fast the machine is. */
let whenReceived = () => {};
const waits = () => whenReceived();
/** A signal that is given once the request has arrived. */
const onceReceived = () => {
  const controller = new AbortController();
  whenReceived = () => controller.abort();
  return controller.signal;
};

const scenarios: Scenario[] = [
  // answers
  { name: 'JSON', ...get(), answer: json, outcome: { status: 200, data: { text } } },
  { name: 'text', ...get({ responseType: 'text' }), answer: json, outcome: { data: JSON.stringify({ text }) } },
  { name: 'a document', ...get({ responseType: 'document' }), answer: plain, outcome: { data: text } },
  { name: 'bytes', ...get({ responseType: 'arraybuffer' }), answer: plain, outcome: { data: Buffer.from(text) } },
  { name: 'a stream', ...get({ responseType: 'stream' }), answer: plain, outcome: { data: text } },
  {
    name: 'a stream of 3 MB',
    ...get({ responseType: 'stream' }),
    answer: (response) => response.end(Buffer.alloc(3_000_000, 'a')),
    outcome: { data: 'a'.repeat(3_000_000) },
  },
  {
    name: 'chunks of unknown number',
    ...get(),
    answer(response) {
      response.write(text);
      setImmediate(() => response.end(text));
    },
    outcome: { data: text + text },
  },
  { name: 'a byte-order mark', ...get(), answer: (response) => response.end('\ufefftext'), outcome: { data: 'text' } },
  {
    name: 'latin1',
    ...get({ responseEncoding: 'latin1' }),
    answer: (response) => response.end(Buffer.from([0xe9])),
    outcome: { data: 'é' },
  },
  {
    name: 'nothing (204)',
    ...get(),
    answer: (response) => response.writeHead(204).end(),
    outcome: { status: 204, data: '' },
  },
  { name: 'nothing at all', ...get(), answer: (response) => response.end(), outcome: { status: 200, data: '' } },
  {
    name: 'HEAD',
    ...get({ method: 'head' }),
    answer: (response) => response.writeHead(200, { 'content-length': '5', 'content-encoding': 'gzip' }).end(),
    outcome: { status: 200, data: '' },
  },
  {
    name: 'headers more than once, and beyond ASCII',
    ...get(),
    answer: (response) =>
      response
        .writeHead(200, 'Very Well', [
          ...['Set-Cookie', 'a=1', 'set-cookie', 'b=2', 'X-Many', 'one', 'x-many', 'two', 'Server', 'first'],
          ...['Server', 'second', 'X-Latin', 'caf\xe9', 'X-Empty', '', 'Cookie', 'a=1', 'Cookie', 'b=2'],
        ])
        .end(),
    outcome: { statusText: 'Very Well', status: 200 },
  },
  {
    name: 'early hints',
    ...get(),
    answer(response) {
      response.writeEarlyHints({ link: '</style.css>; rel=preload' });
      plain(response);
    },
    outcome: { status: 200, data: text },
  },
  {
    name: 'an empty status text',
    ...get(),
    bytes: 'HTTP/1.1 200 \r\ncontent-length: 0\r\n\r\n',
    outcome: { statusText: '' },
  },
  {
    name: 'an end by closing',
    ...get(),
    bytes: 'HTTP/1.1 200 OK\r\n\r\nuntil the end',
    outcome: { data: 'until the end' },
  },
  {
    name: '404',
    ...get(),
    answer: (response) => response.writeHead(404).end('no'),
    outcome: { code: 'ERR_BAD_REQUEST' },
  },
  {
    name: '500',
    ...get(),
    answer: (response) => response.writeHead(500).end('no'),
    outcome: { code: 'ERR_BAD_RESPONSE' },
  },
  {
    name: 'a 404 that its caller takes',
    ...get({ validateStatus: (status) => status === 404 }),
    answer: (response) => response.writeHead(404).end('no'),
    outcome: { status: 404, data: 'no' },
  },
  {
    name: 'a redirect that is not followed',
    ...get(),
    answer: (response) => response.writeHead(302, { location: '/elsewhere' }).end(),
    outcome: { code: 'ERR_BAD_RESPONSE', status: 302 },
  },
  {
    name: 'no JSON where JSON is wanted',
    ...get({ responseType: 'json', transitional: { silentJSONParsing: false } }),
    answer: plain,
    outcome: { code: 'ERR_BAD_RESPONSE' },
  },
  // encodings
  { name: 'gzip', ...get(), answer: encoded('gzip', gzipSync(text)), outcome: { data: text } },
  {
    name: 'x-gzip, as a stream',
    ...get({ responseType: 'stream' }),
    answer: encoded('x-gzip', gzipSync(text)),
    outcome: { data: text },
  },
  { name: 'deflate', ...get(), answer: encoded('deflate', deflateSync(text)), outcome: { data: text } },
  {
    name: 'deflate without its header',
    ...get(),
    answer: encoded('deflate', deflateRawSync(text)),
    outcome: { data: text },
  },
  { name: 'br', ...get(), answer: encoded('br', brotliCompressSync(text)), outcome: { data: text } },
  {
    name: 'gzip left as it is',
    ...get({ decompress: false, responseType: 'arraybuffer' }),
    answer: encoded('gzip', gzipSync(text)),
    outcome: { data: gzipSync(text) },
  },
  { name: 'what is not gzip', ...get(), answer: encoded('gzip', Buffer.from(text)), outcome: { code: 'Z_DATA_ERROR' } },
  {
    name: 'what is not gzip, as a stream',
    ...get({ responseType: 'stream' }),
    answer: encoded('gzip', Buffer.from(text)),
    outcome: { data: { failed: 'Z_DATA_ERROR: incorrect header check' } },
  },
  // limits
  {
    name: 'more than maxContentLength',
    ...get({ maxContentLength: 50 }),
    answer: plain,
    outcome: { code: 'ERR_BAD_RESPONSE' },
  },
  {
    name: 'a stream of more than maxContentLength',
    ...get({ maxContentLength: 50, responseType: 'stream' }),
    answer: plain,
    outcome: { data: { failed: 'ERR_BAD_RESPONSE: maxContentLength size of 50 exceeded' } },
  },
  {
    name: 'a body over maxBodyLength',
    ...post(() => text, { maxBodyLength: 50 }),
    answer: echo,
    outcome: { code: 'ERR_BAD_REQUEST' },
  },
  {
    name: 'a stream over maxBodyLength',
    ...post(pieces, { maxBodyLength: 50 }),
    answer: echo,
    outcome: { code: 'ERR_BAD_REQUEST' },
  },
  // bodies
  { name: 'a string', ...post(() => 'grüße'), answer: echo, outcome: { status: 200 } },
  { name: 'an empty string', ...post(() => ''), answer: echo, outcome: { status: 200 } },
  { name: 'an object', ...post(() => ({ a: [1, 'ß'] })), answer: echo, outcome: { status: 200 } },
  { name: 'bytes sent', ...post(() => Buffer.alloc(200_000, 7)), answer: echo, outcome: { status: 200 } },
  { name: 'parameters', ...post(() => new URLSearchParams({ a: '1 2' })), answer: echo, outcome: { status: 200 } },
  { name: 'a Blob', ...post(() => new Blob([text], { type: 'text/x-spice' })), answer: echo, outcome: { status: 200 } },
  { name: 'a stream sent', ...post(pieces), answer: echo, overNode: true, outcome: { status: 200 } },
  { name: 'an empty stream', ...post(() => Readable.from([])), answer: echo, outcome: { status: 200 } },
  {
    name: 'a stream of known length',
    ...post(pieces, { headers: { 'content-length': String(2 * text.length) } }),
    answer: echo,
    overNode: true,
    outcome: { status: 200 },
  },
  {
    name: 'a stream of 3 MB sent',
    ...post(() => Readable.from(Array.from({ length: 30 }, () => Buffer.alloc(100_000, 'b')))),
    answer: echo,
    overNode: true,
    outcome: { status: 200 },
  },
  {
    name: 'a form',
    ...post(() => {
      const form = new NodeFormData();
      form.setBoundary('boundary-of-the-test');
      form.append('file', Buffer.from(text), 'spice.txt');
      return form;
    }),
    answer: echo,
    overNode: true,
    outcome: { status: 200 },
  },
  {
    name: "a form of the platform's",
    ...post(
      () => {
        const form = new FormData();
        form.append('file', new Blob([text]), 'spice.txt');
        return form;
      },
      { headers: { 'content-type': 'multipart/form-data; boundary=boundary-of-the-test' } },
    ),
    answer: echo,
    overNode: true,
    outcome: { status: 200 },
  },
  { name: 'PUT without body', ...get({ method: 'put' }), answer: echo, outcome: { status: 200 } },
  { name: 'DELETE with a body', ...get({ method: 'delete', data: { a: 1 } }), answer: echo, outcome: { status: 200 } },
  { name: 'GET with a body', ...get({ data: { a: 1 } }), answer: echo, overNode: true, outcome: { status: 200 } },
  { name: 'params', ...get({ params: { a: [1, 2], b: 'ü&=' } }), answer: echo, outcome: { status: 200 } },
  {
    name: 'headers of a caller',
    ...get({ headers: { 'X-Mine': 'caf\xe9', Accept: 'text/x' } }),
    answer: echo,
    outcome: { status: 200 },
  },
  {
    name: 'a stream that fails',
    ...post(() =>
      Readable.from(
        (async function* () {
          yield Buffer.from(text);
          throw Object.assign(new Error('no more spice'), { code: 'ESPICE' });
        })(),
      ),
    ),
    answer: silent,
    outcome: { code: 'ESPICE', message: 'no more spice' },
  },
  {
    name: 'a stream that is destroyed',
    ...post(() => {
      const stream = endless();
      whenReceived = () => stream.destroy();
      return stream;
    }),
    answer: waits,
    overNode: true,
    outcome: { code: 'ERR_CANCELED' },
  },
  {
    name: 'an answer before the body has ended',
    ...post(endless),
    answer(response, request) {
      request.resume();
      response.writeHead(413, { connection: 'close' }).end('too much');
    },
    overNode: true,
    outcome: { status: 413 },
  },
  // time
  {
    name: 'no answer in time',
    ...get({ timeout: 40 }),
    answer: silent,
    outcome: { code: 'ECONNABORTED', message: 'timeout of 40ms exceeded' },
  },
  {
    name: 'no answer in time, told clearly',
    ...get({ timeout: 40, timeoutErrorMessage: 'too late', transitional: { clarifyTimeoutError: true } }),
    answer: silent,
    outcome: { code: 'ETIMEDOUT', message: 'too late' },
  },
  { name: 'an answer that stops', ...get({ timeout: 40 }), answer: stalled, outcome: { code: 'ECONNABORTED' } },
  {
    name: 'an answer that takes longer than the time-out and never stops',
    ...get({ timeout: 600 }),
    answer(response) {
      let left = 8;
      const timer = setInterval(() => {
        response.write('.');
        if (--left > 0) return;
        clearInterval(timer);
        response.end();
      }, 100);
    },
    outcome: { data: '........' },
  },
  {
    name: 'a time-out that is no number',
    ...get({ timeout: 'soon' as never }),
    answer: plain,
    outcome: { code: 'ERR_BAD_OPTION_VALUE' },
  },
  {
    name: 'no TLS in time',
    request: ({ mute }) => ({ baseURL: mute, timeout: 40 }),
    outcome: { code: 'ECONNABORTED' },
  },
  // giving up
  {
    name: 'aborted before it was connected',
    request: ({ mute }) => ({ baseURL: mute, signal: AbortSignal.timeout(20) }),
    outcome: { code: 'ERR_CANCELED' },
  },
  { name: 'aborted before', ...get({ signal: AbortSignal.abort() }), answer: plain, outcome: { code: 'ERR_CANCELED' } },
  {
    name: 'aborted while waiting',
    request: () => ({ signal: onceReceived() }),
    answer: waits,
    outcome: { code: 'ERR_CANCELED' },
  },
  {
    name: 'aborted in the body',
    request() {
      const controller = new AbortController();
      return { signal: controller.signal, onDownloadProgress: () => controller.abort() };
    },
    answer: stalled,
    outcome: { code: 'ERR_CANCELED' },
  },
  {
    name: 'aborted in the stream',
    request() {
      const controller = new AbortController();
      const handedOut = (data: unknown) => {
        setImmediate(() => controller.abort());
        return data;
      };
      return { signal: controller.signal, responseType: 'stream', transformResponse: handedOut };
    },
    answer: stalled,
    outcome: { data: { failed: 'ERR_CANCELED: canceled' } },
  },
  {
    name: 'aborted while sending',
    request: () => ({ method: 'post', data: endless(), signal: onceReceived() }),
    answer: waits,
    overNode: true,
    outcome: { code: 'ERR_CANCELED' },
  },
  {
    name: 'cancelled by token',
    request() {
      const source = axios.CancelToken.source();
      whenReceived = () => source.cancel('enough');
      return { cancelToken: source.token };
    },
    answer: waits,
    outcome: { code: 'ERR_CANCELED', message: 'enough' },
  },
  // faults
  { name: 'nobody there', request: ({ refused }) => ({ baseURL: refused }), outcome: { code: 'ECONNREFUSED' } },
  {
    name: 'a host that does not exist',
    request: () => ({ baseURL: 'http://nobody.invalid' }),
    outcome: { name: 'Error' },
  },
  {
    name: 'a connection that is closed',
    ...get(),
    bytes: '',
    outcome: { code: 'ECONNRESET', message: 'socket hang up' },
  },
  {
    name: 'a connection that is reset',
    ...get(),
    answer: (response) => void (response.socket as unknown as { resetAndDestroy(): void }).resetAndDestroy(),
    outcome: { code: 'ECONNRESET' },
  },
  {
    name: 'a body cut short',
    ...get(),
    answer(response) {
      stalled(response);
      setTimeout(() => response.destroy(), 20);
    },
    outcome: { code: 'ERR_BAD_RESPONSE', message: 'stream has been aborted' },
  },
  {
    name: 'a stream cut short',
    ...get({ responseType: 'stream' }),
    answer(response) {
      stalled(response);
      setTimeout(() => response.destroy(), 20);
    },
    outcome: { data: { failed: 'ECONNRESET: aborted' } },
  },
  {
    name: 'a body cut short that was to be the last',
    ...get(),
    bytes: 'HTTP/1.1 200 OK\r\nconnection: close\r\ncontent-length: 100\r\n\r\nbegun',
    outcome: { code: 'ERR_BAD_RESPONSE', message: 'stream has been aborted' },
  },
  {
    name: 'chunks cut short that were to be the last',
    ...get(),
    bytes: 'HTTP/1.1 200 OK\r\nconnection: close\r\ntransfer-encoding: chunked\r\n\r\n5\r\nbegun\r\n',
    outcome: { code: 'ERR_BAD_RESPONSE', message: 'stream has been aborted' },
  },
  {
    name: 'chunks cut short',
    ...get(),
    bytes: 'HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n5\r\nbegun\r\n',
    outcome: { code: 'ERR_BAD_RESPONSE', message: 'stream has been aborted' },
  },
  {
    name: 'a gzip cut short',
    ...get(),
    answer(response) {
      response
        .writeHead(200, { 'content-encoding': 'gzip', 'content-length': '1000' })
        .write(gzipSync(text).subarray(0, 40));
      setTimeout(() => response.destroy(), 20);
    },
    outcome: { code: 'ECONNRESET' },
  },
  { name: 'no HTTP', ...get(), bytes: 'SSH-2.0-OpenSSH_9.6\r\n', outcome: { code: 'HPE_INVALID_CONSTANT' } },
  {
    name: 'chunks that are none',
    ...get(),
    bytes: 'HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\nspice\r\n',
    outcome: { code: 'HPE_INVALID_CHUNK_SIZE' },
  },
  {
    name: 'a header that is none',
    ...get(),
    bytes: 'HTTP/1.1 200 OK\r\nx y: z\r\n\r\n',
    outcome: { code: 'HPE_INVALID_HEADER_TOKEN' },
  },
  {
    name: 'a status that is none',
    ...get(),
    bytes: 'HTTP/1.1 2x0 OK\r\n\r\n',
    outcome: { code: 'HPE_INVALID_STATUS' },
  },
  {
    name: 'headers without end',
    ...get(),
    bytes: `HTTP/1.1 200 OK\r\nx-long: ${'a'.repeat(20_000)}\r\n\r\n`,
    outcome: { code: 'HPE_HEADER_OVERFLOW' },
  },
  {
    name: 'a certificate that nobody vouches for',
    request: (urls) => ({ baseURL: urls.https }),
    outcome: { code: 'DEPTH_ZERO_SELF_SIGNED_CERT' },
  },
  {
    name: 'TLS spoken to a plain server',
    request: (urls) => ({ baseURL: urls.http.replace('http', 'https') }),
    outcome: { name: 'Error' },
  },
  {
    name: 'a header name that is none',
    ...get({ headers: { 'x y': 'z' } }),
    answer: echo,
    overNode: true,
    outcome: { code: 'ERR_INVALID_HTTP_TOKEN' },
  },
  {
    name: 'a method that is none, with a body in pieces',
    request: () => ({ method: 'p st', data: Readable.from(['a', 'b'], { objectMode: false }) }),
    answer: echo,
    overNode: true,
    outcome: { code: 'ERR_INVALID_HTTP_TOKEN' },
  },
  {
    name: 'a path that is none',
    ...get({ params: { a: 1 }, paramsSerializer: () => 'a b' }),
    answer: echo,
    overNode: true,
    outcome: { code: 'ERR_UNESCAPED_CHARACTERS' },
  },
  // what goes over Node's client
  {
    name: 'an agent with a certificate authority',
    request: (urls) => ({ baseURL: urls.https, httpsAgent: trusting }),
    answer: echo,
    overNode: true,
    outcome: { status: 200 },
  },
  {
    name: 'an agent that looks names up itself',
    request: () => ({ httpAgent: new http.Agent({ keepAlive: false }) }),
    answer: echo,
    overNode: true,
    outcome: { status: 200 },
  },
  {
    name: 'lookup',
    request: ({ http: url }) => ({
      baseURL: url.replace('127.0.0.1', 'spice.test'),
      lookup: (_host: string, _options: object, done: (error: null, address: string, family: 4) => void) =>
        done(null, '127.0.0.1', 4),
    }),
    answer: echo,
    overNode: true,
    outcome: { status: 200 },
  },
  { name: 'family', ...get({ family: 4 }), answer: echo, overNode: true, outcome: { status: 200 } },
  {
    name: 'auth',
    ...get({ auth: { username: 'a', password: 'b' } }),
    answer: echo,
    overNode: true,
    outcome: { status: 200 },
  },
  {
    name: 'insecureHTTPParser',
    ...get({ insecureHTTPParser: true }),
    answer: echo,
    overNode: true,
    outcome: { status: 200 },
  },
  {
    name: 'Connection',
    ...get({ headers: { Connection: 'close' } }),
    answer: echo,
    overNode: true,
    outcome: { status: 200 },
  },
  {
    name: 'Expect',
    ...post(() => 'a', { headers: { Expect: '100-continue' } }),
    answer: echo,
    overNode: true,
    outcome: { status: 200 },
  },
  { name: 'socketPath', ...get({ socketPath: '/nowhere.sock' }), overNode: true, outcome: { code: 'ENOENT' } },
  {
    name: 'a proxy',
    request: ({ http: url, refused }) => ({
      baseURL: refused,
      proxy: { protocol: 'http', host: '127.0.0.1', port: Number(new URL(url).port) },
    }),
    answer: echo,
    overNode: true,
    outcome: { status: 200 },
  },
  {
    name: 'no connection in time, over Node',
    ...get({ timeout: 40, family: 4 }),
    answer: silent,
    overNode: true,
    outcome: { code: 'ECONNABORTED' },
  },
];

/** A stream that goes on until it is destroyed. */
function endless(): Readable {
  return new Readable({
    read() {
      setTimeout(() => this.push(Buffer.alloc(1000, 'e')), 5);
    },
  });
}

let trusting: https.Agent;
const servers: (Server & { closeAllConnections?: () => void })[] = [];
const sockets = new Set<Socket>();
/** Takes connections, and says nothing. */
const mute = createTcpServer((socket) => {
  sockets.add(socket);
  socket.on('error', () => {}).resume();
});
const received = new Map<string, Received>();
let overUndici = 0;
const count = () => {
  overUndici += 1;
};

async function start<S extends Server>(server: S): Promise<number> {
  servers.push(server);
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  return (server.address() as AddressInfo).port;
}

async function serve(request: IncomingMessage, response: ServerResponse): Promise<void> {
  const [, index = '', way = ''] = new URL(request.url ?? '/', 'http://x').pathname.split('/');
  const scenario = scenarios[Number(index)];
  const waitsForBody = scenario?.answer !== waits && scenario?.outcome['status'] !== 413;
  const chunks: Buffer[] = [];
  request.on('error', () => {});
  response.on('error', () => {});
  if (waitsForBody) for await (const chunk of request) chunks.push(chunk);
  const { method, url, headers } = request;
  received.set(way, { method, url: url?.replace(way, ''), headers, body: Buffer.concat(chunks).toString('base64') });
  scenario?.answer?.(response, request);
}

beforeAll(async () => {
  const listener = (request: IncomingMessage, response: ServerResponse) =>
    void serve(request, response).catch(() => {});
  const tls = await selfSigned();
  trusting = new https.Agent({ ca: tls.cert });
  base.http = `http://127.0.0.1:${await start(http.createServer(listener))}`;
  base.https = `https://127.0.0.1:${await start(https.createServer({ ...tls, keepAliveTimeout: 60_000 }, listener))}`;
  const gone = createTcpServer();
  base.refused = `http://127.0.0.1:${await start(gone)}`;
  await new Promise((resolve) => gone.close(resolve));
  const raw = createTcpServer((socket) => {
    socket.on('error', () => {});
    socket.once('data', (data) => {
      const index = Number(/ \/(\d+)/.exec(data.toString())?.[1]);
      socket.end(Buffer.from(scenarios[index]?.bytes ?? '', 'latin1'));
    });
  });
  base.bytes = `http://127.0.0.1:${await start(raw)}`;
  base.mute = `https://127.0.0.1:${await start(mute)}`;
  subscribe('undici:request:create', count);
});

afterAll(async () => {
  unsubscribe('undici:request:create', count);
  trusting.destroy();
  for (const socket of sockets) socket.destroy();
  for (const server of servers) {
    server.closeAllConnections?.();
    server.close();
  }
});

async function bodyOf(data: unknown): Promise<unknown> {
  if (!(data instanceof Readable)) return data;
  const chunks: Buffer[] = [];
  try {
    for await (const chunk of data) chunks.push(chunk);
  } catch (error) {
    const { code, message } = error as { code?: string; message: string };
    return { failed: `${code}: ${message}` };
  }
  return Buffer.concat(chunks).toString();
}

async function outcomeOf(config: AxiosRequestConfig): Promise<Outcome> {
  try {
    const { status, statusText, headers, data } = await axios.request(config);
    const { date: _date, ...rest } = { ...headers };
    return { status, statusText, headers: rest, data: await bodyOf(data) };
  } catch (error) {
    const { name, code, message, status, response } = error as Outcome & { response?: AxiosResponse };
    const port = /127\.0\.0\.1:\d+/g;
    return {
      ...{ name, code, status, cancelled: axios.isCancel(error), isAxiosError: axios.isAxiosError(error) },
      message: String(message).replace(port, 'host'),
      answered: response && { status: response.status, data: await bodyOf(response.data) },
    };
  }
}

const settings = { maxRedirects: 0, proxy: false } as const;
const loaded = () => ({ transport: undici() });

describe.each(scenarios.map((scenario, index) => ({ ...scenario, index })))('$name', (scenario) => {
  const run = async (way: string, transport: object) => {
    const baseURL = scenario.bytes === undefined ? base.http : base.bytes;
    const path = `/${scenario.index}/${way}`;
    const config: AxiosRequestConfig = { ...settings, baseURL, url: path, ...transport, ...scenario.request(base) };
    const outcome = await outcomeOf(config);
    return { outcome, received: received.get(way), isTimed: config.timeout !== undefined };
  };

  it("goes as with Node's client", async () => {
    received.clear();
    const ofNode = await run('n', {});
    overUndici = 0;
    const ofUndici = await run('u', loaded());
    expect(ofNode.outcome).toMatchObject(scenario.outcome);
    expect(ofUndici.outcome).toEqual(ofNode.outcome);
    // Whether a request arrives before its time is over is up to the machine.
    if (!ofNode.isTimed) expect(ofUndici.received).toEqual(ofNode.received);
    if (scenario.overNode) expect(overUndici).toBe(0);
    else if (received.has('u') || scenario.bytes !== undefined) expect(overUndici).toBe(1);
  });
});

/** A server that sends back what it gets, after some milliseconds. */
async function startMirror(delay = 0): Promise<{ url: string; server: http.Server; connections: () => number }> {
  let connections = 0;
  const server = http.createServer(async (request, response) => {
    const chunks: Buffer[] = [];
    for await (const chunk of request) chunks.push(chunk);
    const body = Buffer.concat(chunks);
    if (delay > 0) await new Promise((resolve) => setTimeout(resolve, delay));
    response.writeHead(200, { 'content-length': body.length }).end(body);
  });
  server.on('connection', () => (connections += 1));
  const url = `http://127.0.0.1:${await start(server)}`;
  return { url, server, connections: () => connections };
}

describe('over undici', () => {
  it('bytes of any size arrive as they were sent, whole or in pieces', async () => {
    const { url } = await startMirror();
    const piece = fc.uint8Array({ minLength: 1, maxLength: 5_000 });
    await fc.assert(
      fc.asyncProperty(
        fc.array(piece, { maxLength: 8 }),
        fc.boolean(),
        fc.boolean(),
        async (pieces, inPieces, asStream) => {
          const sent = Buffer.concat(pieces);
          const data = inPieces ? Readable.from(pieces.map((bytes) => Buffer.from(bytes))) : sent;
          const responseType = asStream ? 'stream' : 'arraybuffer';
          const response = await axios.post(url, data, { ...settings, ...loaded(), responseType });
          const chunks: Buffer[] = [];
          if (asStream) for await (const chunk of response.data) chunks.push(chunk);
          expect(asStream ? Buffer.concat(chunks) : response.data).toEqual(sent);
        },
      ),
      { numRuns: 60 },
    );
  });

  it('progress of both ways is told to its end, and rates are kept', async () => {
    const { url } = await startMirror();
    const last: Record<string, AxiosProgressEvent> = {};
    const sent = Buffer.alloc(300_000, 'p');
    const { data } = await axios.post(url, sent, {
      ...settings,
      ...loaded(),
      maxRate: [2_000_000, 2_000_000],
      onUploadProgress: (event) => (last['up'] = event),
      onDownloadProgress: (event) => (last['down'] = event),
    });
    expect(data).toHaveLength(sent.length);
    expect(last).toMatchObject({ up: { loaded: 300_000, total: 300_000 }, down: { loaded: 300_000, total: 300_000 } });
  });

  it('connections serve one request after the other, of whatever method', async () => {
    const { url, connections } = await startMirror();
    for (const method of ['get', 'get', 'post', 'head', 'delete', 'put', 'get', 'head', 'get']) {
      await axios.request({ ...settings, ...loaded(), url, method, ...(method === 'post' && { data: 'a' }) });
    }
    // undici opens a second one if the first request is over before it knows that its connection is free.
    expect(connections()).toBeLessThanOrEqual(2);
  });

  it.each([
    ['over undici', {}],
    ['over Node', { family: 4 as const }],
  ])('S19: a time-out longer than timers can wait is none that ends at once, %s', async (_name, config) => {
    const { url } = await startMirror(50);
    const call = axios.post(url, 'a', { ...settings, ...loaded(), ...config, timeout: 2 ** 31 });
    expect((await call).data).toBe('a');
  });

  it('a slow reader slows the server down', async () => {
    let written = 0;
    const server = http.createServer((_request, response) => {
      Readable.from(
        (function* () {
          for (let i = 0; i < 500; i++, written++) yield Buffer.alloc(100_000);
        })(),
      ).pipe(response);
    });
    const url = `http://127.0.0.1:${await start(server)}`;
    const { data } = await axios.get(url, { ...settings, ...loaded(), responseType: 'stream' });
    // Until nothing more has been written for many turns of the event loop, which client and server share.
    for (let seen = -1, quiet = 0; quiet < 1_000; quiet++) {
      if (written > seen) quiet = 0;
      seen = written;
      await new Promise(setImmediate);
    }
    expect(written).toBeLessThan(400);
    data.destroy();
  });

  it('https is spoken, with the certificates that Node was told to trust', async () => {
    const file = join(mkdtempSync(join(tmpdir(), 'qelos-auth-')), 'ca.pem');
    whenDone(() => rmSync(dirname(file), { recursive: true }));
    writeFileSync(file, trusting.options.ca as string);
    const { stdout, stderr, code } = await runChild('undici.ts', { url: base.https }, [], {
      NODE_EXTRA_CA_CERTS: file,
    });
    expect({ code, stderr }).toEqual({ code: 0, stderr: '' });
    // It ends by itself: an idle connection, which this server keeps for a minute, holds nobody up.
    expect(JSON.parse(stdout)).toMatchObject({ status: 200, overUndici: 2 });
    expect(JSON.parse(stdout).seconds).toBeLessThan(30);
  }, 60_000);

  it('a connection that nobody waits for any more is given up while it is being made', async () => {
    const arrived = new Promise<Socket>((resolve) => mute.once('connection', resolve));
    const controller = new AbortController();
    const call = outcomeOf({ ...settings, ...loaded(), url: base.mute, signal: controller.signal });
    const closed = once(await arrived, 'close');
    controller.abort();
    expect(await call).toMatchObject({ code: 'ERR_CANCELED' });
    await closed;
  });

  it('a request given up before its connection stands is never sent', async () => {
    const api = await startBackend();
    const transport = undici();
    const options = { protocol: 'http:', hostname: '127.0.0.1', port: api.port, method: 'GET', headers: {} };
    const given = transport.request({ ...options, path: '/given-up' }, () => {}).on('error', () => {});
    given.end();
    const answered = new Promise<void>((resolve) => {
      const onAnswer = (answer: Readable) => void answer.resume().once('end', resolve);
      transport.request({ ...options, path: '/wanted' }, onAnswer).end();
    });
    await new Promise(process.nextTick); // both are with undici, and no connection can stand before the loop turns
    given.destroy();
    await answered;
    expect(api.received.map(({ url }) => url)).toEqual(['/wanted']);
  });

  it.each([
    ['of another class', () => new (class extends https.Agent {})()],
    ['with certificates of its own', () => trusting],
    ['with a limit of its own', () => new https.Agent({ maxSockets: 3 })],
    ['that connects in its own way', () => Object.assign(new https.Agent(), { createConnection: connectTls })],
  ])('a global agent %s is kept to', async (_name, make) => {
    const { globalAgent } = https;
    try {
      https.globalAgent = make();
      overUndici = 0;
      await outcomeOf({ ...settings, ...loaded(), url: `${base.https}/0/u` });
      expect(overUndici).toBe(0);
    } finally {
      https.globalAgent = globalAgent;
    }
  });

  it('certificates that the global agent was given later are kept to', async () => {
    const { options } = https.globalAgent;
    try {
      options.ca = trusting.options.ca;
      overUndici = 0;
      expect(await outcomeOf({ ...settings, ...loaded(), url: `${base.https}/0/u` })).toMatchObject({ status: 200 });
      expect(overUndici).toBe(0);
    } finally {
      delete options.ca;
    }
  });
});

describe('the option transport: undici()', () => {
  const config = { url: 'https://qelos.test', apiToken: 'ql_test' };
  const thrown = (run: () => unknown): unknown => {
    try {
      return run();
    } catch (error) {
      return error;
    }
  };

  it('says what to install where undici is missing', () => {
    jest.isolateModules(() => {
      jest.doMock('undici/package.json', () => {
        throw Object.assign(new Error("Cannot find module 'undici/package.json'"), { code: 'MODULE_NOT_FOUND' });
      });
      const { undici: load } = require('qelos-auth/undici') as typeof import('qelos-auth/undici');
      expect(thrown(load)).toMatchObject({
        code: 'ERR_AUTH_CONFIG',
        hint: expect.stringContaining('npm install undici'),
      });
      jest.dontMock('undici/package.json');
    });
  });

  it.each(['6.21.0', '7.27.0', '8.2.0', '9.0.0', undefined])('does not take undici %s', (version) => {
    jest.isolateModules(() => {
      jest.doMock('undici/package.json', () => ({ version }));
      const { undici: load } = require('qelos-auth/undici') as typeof import('qelos-auth/undici');
      expect(thrown(load)).toMatchObject({
        code: 'ERR_AUTH_CONFIG',
        message: expect.stringContaining(`undici ${version} `),
      });
      jest.dontMock('undici/package.json');
    });
  });

  it.each(['undici', 'curl', {}, null, undici])('is refused if it is %p, which is no transport', (transport) => {
    for (const make of [
      () => createQelosAuth({ env: {}, config, transport: transport as never }),
      () => new TenantAuth(() => undefined, { transport: transport as never }),
    ]) {
      const error = thrown(make);
      expect(isAuthError(error) && error.code).toBe('ERR_AUTH_CONFIG');
      expect(isAuthError(error) && error.hint).toContain('undici()');
    }
  });

  it('takes sign-ins and requests with it, and leaves requests elsewhere and those with skipAuth to axios', async () => {
    const backend = await startBackend();
    const { username, password, url } = backend;
    const auth = createQelosAuth({ env: {}, config: { url, username, password }, transport: undici() });
    whenDone(() => auth.close());
    overUndici = 0;
    expect((await auth.http.get('/api/me')).data).toMatchObject({ ok: true });
    expect([overUndici, backend.received.map((request) => request.url)]).toEqual([2, ['/api/signin', '/api/me']]);
    const { config: shown } = await auth.http.get('/api/me');
    expect(shown.transport).toBeUndefined();
    expect((await auth.http.get('/api/me', { skipAuth: true, validateStatus: null })).status).toBe(401);
    backend.on('/moved', (_request, response) => response.writeHead(302, { location: '/api/me' }).end());
    expect((await auth.http.get('/moved', { skipAuth: true, validateStatus: null })).status).toBe(401);
    expect(overUndici).toBe(3);
  });

  it("leaves a caller's own transport alone", async () => {
    const backend = await startBackend();
    const auth = createQelosAuth({
      env: {},
      config: { url: backend.url, apiToken: backend.apiToken },
      transport: undici(),
    });
    whenDone(() => auth.close());
    await auth.http.get('/api/me');
    overUndici = 0;
    const { config: shown } = await auth.http.get('/api/me', { transport: http });
    expect(overUndici).toBe(0);
    expect(shown.transport.request).toBe(http.request); // axios has merged, and so copied, the object
  });
});
