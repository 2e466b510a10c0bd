import type { OutgoingHttpHeaders, ServerResponse } from 'node:http';
import { clearInterval, setInterval } from 'node:timers';

/**
 * What a path answers instead of its usual answer.
 *
 * - `{ status, body, headers }`: exactly this. `status` is 500 if left out. A string or bytes go out as they are, as
 *   `text/plain` unless `headers` say otherwise; any other `body`, `null` too, goes out as JSON; without one, the body is empty.
 * - `'reset'`: the connection is reset without an answer.
 * - `'hang'`: no answer, ever. `close()` ends it.
 * - `'slow'`: 200, and then one byte a second that never comes to an end.
 * - `'html'`: 200 and a web page, as a login wall or a proxy in front would send.
 * - `'broken-json'`: 200 and JSON that is cut off.
 * - `{ redirect }`: 302 to there. For another status, use `{ status, headers: { location } }`.
 */
export type QelosServerFault =
  | { readonly status?: number; readonly body?: unknown; readonly headers?: OutgoingHttpHeaders }
  | 'reset'
  | 'hang'
  | 'slow'
  | 'html'
  | 'broken-json'
  | { readonly redirect: string };

interface Armed {
  readonly fault: QelosServerFault;
  left: number;
}

/** The faults set by path, and how often each is still to happen. */
export class Faults {
  readonly #armed = new Map<string, Armed>();

  set(path: string, fault: QelosServerFault, times: number): void {
    if (times > 0) this.#armed.set(path, { fault, left: times });
    else this.#armed.delete(path);
  }

  /** The fault a request to this path meets, which counts as one of its times. */
  take(path: string): QelosServerFault | undefined {
    const armed = this.#armed.get(path);
    if (armed === undefined) return undefined;
    armed.left -= 1;
    if (armed.left <= 0) this.#armed.delete(path);
    return armed.fault;
  }
}

const JSON_TYPE = 'application/json; charset=utf-8';
const SLOW_BYTE_MS = 1000;

/** Answers with the fault. `answered` is told the status as soon as there is one. */
export function commit(fault: QelosServerFault, response: ServerResponse, answered: (status: number) => void): void {
  const send = (status: number, headers: OutgoingHttpHeaders, body: string | Uint8Array = '') => {
    answered(status);
    // One by one, for then a header given in another letter case replaces the usual one instead of joining it.
    for (const [name, value] of Object.entries({ 'content-length': Buffer.byteLength(body), ...headers })) {
      if (value !== undefined) response.setHeader(name, value);
    }
    response.writeHead(status).end(body);
  };

  if (fault === 'hang') return;
  if (fault === 'reset') {
    response.socket?.resetAndDestroy();
  } else if (fault === 'slow') {
    answered(200);
    response.writeHead(200, { 'content-type': JSON_TYPE });
    const drip = setInterval(() => response.write(' '), SLOW_BYTE_MS);
    response.once('close', () => clearInterval(drip));
    response.write(' ');
  } else if (fault === 'html') {
    send(
      200,
      { 'content-type': 'text/html; charset=utf-8' },
      '<!DOCTYPE html>\n<title>Sign in</title>\n<p>Please sign in.</p>\n',
    );
  } else if (fault === 'broken-json') {
    send(200, { 'content-type': JSON_TYPE }, '{"payload":{"token":"');
  } else if ('redirect' in fault) {
    send(302, { location: fault.redirect });
  } else {
    const { status = 500, body, headers } = fault;
    if (body === undefined) send(status, { ...headers });
    else if (typeof body === 'string' || body instanceof Uint8Array) {
      send(status, { 'content-type': 'text/plain; charset=utf-8', ...headers }, body);
    } else send(status, { 'content-type': JSON_TYPE, ...headers }, JSON.stringify(body));
  }
}
