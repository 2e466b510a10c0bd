import { once } from 'node:events';
import { createServer, type IncomingHttpHeaders, type IncomingMessage, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';

/** How an impostor answers: as a server out of order, with a redirect to a stranger, or with a body that never ends. */
export type Imposture = 'out of order' | 'elsewhere' | 'endless';

/** A request that came to an impostor. */
export interface Received {
  readonly url: string;
  readonly headers: IncomingHttpHeaders;
  readonly body: string;
  /** Whether it was meant for whom the redirect leads to. */
  readonly isElsewhere: boolean;
}

/** Nobody has this name (RFC 6761, 6.4): where the detour fails, nothing leaves the machine. */
const STRANGER = 'stranger.invalid';

/** Much more than any credential, and than what the operating system takes on the way (some 10 MB) while nobody reads. */
export const ENDLESS_BYTES = 32 * 1024 * 1024;
const CHUNK = Buffer.alloc(64 * 1024, ' ');

/** A server that answers in the place of whoever a strategy asks, and remembers what it was told. */
export class Impostor {
  readonly received: Received[] = [];
  /** Bytes of the longest answer that were taken. */
  taken = 0;
  readonly #imposture: Imposture;
  readonly #server = createServer((request, response) => {
    this.#serve(request, response).catch(() => response.destroy()); // the strategy has left
  });

  private constructor(imposture: Imposture) {
    this.#imposture = imposture;
  }

  static async start(imposture: Imposture): Promise<Impostor> {
    const impostor = new Impostor(imposture);
    await once(impostor.#server.listen(0, '127.0.0.1'), 'listening');
    return impostor;
  }

  get port(): number {
    return (this.#server.address() as AddressInfo).port;
  }

  async close(): Promise<void> {
    this.#server.closeAllConnections();
    await new Promise((resolve) => this.#server.close(resolve));
  }

  async #serve(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const { url = '', headers } = request;
    const chunks: Buffer[] = [];
    for await (const chunk of request) chunks.push(chunk);
    // Without a proxy the name is in the header, with one in the URL.
    const isElsewhere = `${headers.host} ${url}`.includes(STRANGER);
    this.received.push({ url, headers, body: Buffer.concat(chunks).toString(), isElsewhere });
    if (isElsewhere) response.writeHead(200, { 'content-type': 'application/json' }).end('{}');
    else if (this.#imposture === 'out of order')
      response.writeHead(503, { 'content-type': 'text/html' }).end('<html><body>Out of order</body></html>');
    // 307 has the request sent again as it is, with its body.
    else if (this.#imposture === 'elsewhere') response.writeHead(307, { location: `http://${STRANGER}/` }).end();
    else await this.#neverEnd(response);
  }

  async #neverEnd(response: ServerResponse): Promise<void> {
    response.writeHead(200, { 'content-type': 'application/json' });
    const closed = once(response, 'close');
    for (let sent = 0; sent < ENDLESS_BYTES && !response.closed; sent += CHUNK.length) {
      if (!response.write(CHUNK)) await Promise.race([once(response, 'drain'), closed]);
      this.taken = Math.max(this.taken, sent);
    }
    response.destroy();
  }
}
