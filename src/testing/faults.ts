import type { OutgoingHttpHeaders, ServerResponse } from 'node:http';
import { type Answer, answerOf, empty, json, write } from './answers';
import { clearInterval, setInterval } from './server-clock';

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

const SLOW_BYTE_MS = 1000;

/** Answers with the fault. `answered` is told the status as soon as there is one. */
export function commit(fault: QelosServerFault, response: ServerResponse, answered: (status: number) => void): void {
  const send = (answer: Answer) => {
    answered(answer.status);
    write(answer, response);
  };

  if (fault === 'hang') return;
  if (fault === 'reset') {
    response.socket?.resetAndDestroy();
  } else if (fault === 'slow') {
    answered(200);
    response.writeHead(200, { 'content-type': 'application/json; charset=utf-8' });
    const drip = setInterval(() => response.write(' '), SLOW_BYTE_MS);
    response.once('close', () => clearInterval(drip));
    response.write(' ');
  } else if (fault === 'html') {
    const body = '<!DOCTYPE html>\n<title>Sign in</title>\n<p>Please sign in.</p>\n';
    send({ status: 200, headers: { 'content-type': 'text/html; charset=utf-8' }, body });
  } else if (fault === 'broken-json') {
    send({ ...json(200, null), body: '{"payload":{"token":"' });
  } else if ('redirect' in fault) {
    send(empty(302, { location: fault.redirect }));
  } else {
    send(answerOf(fault, 500));
  }
}
