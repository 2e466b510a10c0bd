import {
  Agent as HttpAgent,
  type IncomingHttpHeaders,
  type OutgoingHttpHeaders,
  request as requestHttp,
} from 'node:http';
import { Agent as HttpsAgent, request as requestHttps } from 'node:https';
import { text } from 'node:stream/consumers';

/** A request as it goes out. `json` is sent as JSON, `raw` as it is. */
export interface WireRequest {
  readonly method: string;
  readonly path: string;
  readonly headers?: OutgoingHttpHeaders;
  readonly json?: unknown;
  readonly raw?: string;
  /** Another server than the one under test. */
  readonly origin?: string;
}

/** An answer as it came in, nothing interpreted. */
export interface WireAnswer {
  readonly status: number;
  readonly headers: IncomingHttpHeaders;
  readonly text: string;
}

/** No recorded answer takes longer. */
const LIMIT_MS = 10_000;

/** Sends requests with node alone, so that no client's own idea of HTTP gets between the server and the table. */
export class Wire {
  readonly #origin: string;
  readonly #http = new HttpAgent({ keepAlive: true });
  readonly #https = new HttpsAgent({ keepAlive: true });

  constructor(origin: string) {
    this.#origin = origin;
  }

  async send({ method, path, headers, json, raw, origin = this.#origin }: WireRequest): Promise<WireAnswer> {
    const url = new URL(path, origin);
    const [request, agent] = url.protocol === 'https:' ? [requestHttps, this.#https] : [requestHttp, this.#http];
    const body = json === undefined ? raw : JSON.stringify(json);
    return new Promise((resolve, reject) => {
      const outgoing = request(url, {
        agent,
        method,
        timeout: LIMIT_MS,
        headers: {
          ...(json !== undefined && { 'content-type': 'application/json' }),
          ...(body !== undefined && { 'content-length': Buffer.byteLength(body) }),
          ...headers,
        },
      });
      outgoing.once('error', reject);
      outgoing.once('timeout', () => outgoing.destroy(new Error(`${method} ${path}: no answer in ${LIMIT_MS} ms`)));
      outgoing.once('response', (response) => {
        text(response).then(
          (received) => resolve({ status: response.statusCode ?? 0, headers: response.headers, text: received }),
          reject,
        );
      });
      outgoing.end(body);
    });
  }

  close(): void {
    this.#http.destroy();
    this.#https.destroy();
  }
}
