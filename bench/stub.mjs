/**
 * A transport that answers at once and without a network, so that what is left is the client's own work: it stands in for
 * `http.request`, so that the adapters above it run in full, and there is a `fetch` for clients that take one.
 */
import http from 'node:http';
import { syncBuiltinESMExports } from 'node:module';
import { Readable, Writable } from 'node:stream';
import { ME, newSession } from './server.mjs';

export const STUB_URL = 'http://127.0.0.1:9';

const me = Buffer.from(JSON.stringify(ME));
const session = () => Buffer.from(JSON.stringify({ payload: { ...newSession(18_000), user: ME } }));
const answerTo = (path) => (path.endsWith('/api/me') ? me : session());

class StubRequest extends Writable {
  constructor(path, answer) {
    super();
    this.path = path;
    if (answer) this.once('response', answer);
  }

  setTimeout() {
    return this;
  }

  setNoDelay() {}

  setSocketKeepAlive() {}

  _write(_chunk, _encoding, done) {
    done();
  }

  _final(done) {
    done();
    const body = answerTo(this.path);
    const response = Object.assign(Readable.from([body], { objectMode: false }), {
      statusCode: 200,
      statusMessage: 'OK',
      headers: { 'content-type': 'application/json', 'content-length': String(body.length) },
      rawHeaders: [],
      req: this,
    });
    queueMicrotask(() => this.emit('response', response));
  }
}

/** Replaces `http.request` for the rest of the process. To be called before any client is loaded. */
export function stubHttp() {
  http.request = (options, answer) => new StubRequest(options.path ?? '', answer);
  syncBuiltinESMExports();
}

/** @type {typeof fetch} */
export const stubFetch = async (input) =>
  new Response(answerTo(new URL(input).pathname), { headers: { 'content-type': 'application/json' } });
