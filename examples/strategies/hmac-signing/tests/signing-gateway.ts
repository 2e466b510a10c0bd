import { createHash, createHmac, randomBytes, timingSafeEqual } from 'node:crypto';
import { once } from 'node:events';
import { createServer, type IncomingHttpHeaders, type IncomingMessage, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import type { QelosServer } from 'qelos-auth/testing';

/** A request as it came, so that a test can send it a second time. */
export interface Received {
  readonly method: string;
  /** Path and query. */
  readonly url: string;
  readonly headers: IncomingHttpHeaders;
  readonly body: Buffer;
}

export interface SigningGateway {
  readonly url: string;
  readonly keyId: string;
  readonly secret: string;
  readonly received: Received[];
  /** Sets this gateway's clock forward. */
  advance(seconds: number): void;
  close(): Promise<void>;
}

/** A signature is good for so long before and after its time; as long, its nonce is remembered. */
const WINDOW_SECONDS = 300;

/**
 * Stands in for a gateway in front of Qelos: lets through what is signed, once, and calls Qelos with an API token of its own.
 * It has its own idea of the text that is signed, so that the tests compare two readings of the scheme.
 */
export async function startGateway(qelos: QelosServer): Promise<SigningGateway> {
  const keyId = `key-${randomBytes(4).toString('hex')}`;
  const secret = randomBytes(32).toString('hex');
  const apiToken = qelos.issueApiToken({ username: 'user' });
  const received: Received[] = [];
  const nonces = new Map<string, number>();
  let ahead = 0;

  function fault({ method, url, headers, body }: Received): string | undefined {
    const header = (name: string) => String(headers[name] ?? '');
    const [path = '', query = ''] = url.split('?', 2);
    const now = Date.now() / 1000 + ahead;
    const time = Number(header('x-signature-time'));
    if (header('x-signature-key') !== keyId) return 'unknown key';
    if (!(Math.abs(now - time) <= WINDOW_SECONDS)) return 'time out of bounds';
    const content = header('x-signature-content');
    const hash = createHash('sha256').update(body).digest('hex');
    if (content !== hash && content !== 'UNSIGNED-PAYLOAD') return 'body altered';
    const pairs = new URLSearchParams(query);
    pairs.sort();
    const names = ['x-signature-key', 'x-signature-time', 'x-signature-nonce', 'x-signature-content'];
    const text = `${method}\n${path}\n${pairs}\n${names.map(header).join('\n')}`;
    const expected = createHmac('sha256', secret).update(text).digest();
    const given = Buffer.from(header('x-signature'), 'hex');
    if (given.length !== expected.length || !timingSafeEqual(given, expected)) return 'bad signature';
    for (const [nonce, until] of nonces) if (until < now) nonces.delete(nonce);
    const nonce = header('x-signature-nonce');
    if (nonces.has(nonce)) return 'replayed';
    nonces.set(nonce, time + WINDOW_SECONDS);
    return undefined;
  }

  async function serve(incoming: IncomingMessage, response: ServerResponse): Promise<void> {
    const chunks: Buffer[] = [];
    for await (const chunk of incoming) chunks.push(chunk);
    const { method = '', url = '', headers } = incoming;
    const request = { method, url, headers, body: Buffer.concat(chunks) };
    received.push(request);
    const message = fault(request);
    if (message !== undefined) {
      response.writeHead(401, { 'content-type': 'application/json' }).end(JSON.stringify({ message }));
      return;
    }
    const { 'content-type': type } = headers;
    const answer = await fetch(`${qelos.url}${url}`, {
      method,
      headers: { 'x-api-key': apiToken, ...(type && { 'content-type': type }) },
      ...(request.body.length > 0 && { body: new Uint8Array(request.body) }),
    });
    response.writeHead(answer.status, { 'content-type': answer.headers.get('content-type') ?? 'text/plain' });
    response.end(Buffer.from(await answer.arrayBuffer()));
  }

  const server = createServer((request, response) => void serve(request, response).catch(() => response.destroy()));
  await once(server.listen(0, '127.0.0.1'), 'listening');
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    keyId,
    secret,
    received,
    advance: (seconds) => {
      ahead += seconds;
    },
    close: () =>
      new Promise((resolve) => {
        server.close(() => resolve());
        server.closeAllConnections();
      }),
  };
}
