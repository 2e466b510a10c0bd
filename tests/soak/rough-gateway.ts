import { once } from 'node:events';
import { createServer, type IncomingMessage, request, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { pipeline } from 'node:stream';

/**
 * What the embedded server does not do to a connection:
 *
 * - `early`: a status before the request has been read, and the end of the connection;
 * - `cut`: the first part of an answer, and a reset;
 * - `stall`: the first part of an answer, and silence.
 */
export type Roughness = { readonly early: number } | 'cut' | 'stall';

export interface RoughGateway {
  readonly url: string;
  /** Does this to requests to a path from now on, or passes them on again. */
  treat(path: string, roughness: Roughness | undefined): void;
  close(): Promise<void>;
}

const PART = Buffer.alloc(20_000, ' ');

/** A gateway in front of a server, which passes requests on unless it is told to be rough. */
export async function startRoughGateway(behind: string): Promise<RoughGateway> {
  const treated = new Map<string, Roughness>();

  const serve = (incoming: IncomingMessage, response: ServerResponse): void => {
    const { url = '', method, headers } = incoming;
    const roughness = treated.get(url.split('?', 1)[0] ?? '');
    if (roughness === undefined) {
      // Each with a connection of its own: what is tried here is the one in front.
      const passed = request(behind + url, { method, headers: { ...headers, connection: 'close' }, agent: false });
      passed.on('response', (answer) => {
        response.writeHead(answer.statusCode ?? 502, { ...answer.headers, connection: 'keep-alive' });
        pipeline(answer, response, () => {});
      });
      passed.on('error', () => response.socket?.resetAndDestroy());
      pipeline(incoming, passed, () => {});
      return;
    }
    if (typeof roughness === 'object') {
      response.writeHead(roughness.early, { 'content-type': 'application/json', connection: 'close' }).end('{}');
      response.on('finish', () => incoming.socket.destroySoon());
      return;
    }
    incoming.resume();
    response.writeHead(200, { 'content-type': 'application/json', 'content-length': 10 * PART.length });
    response.write(PART, () => roughness === 'cut' && response.socket?.resetAndDestroy());
  };

  const server = createServer(serve);
  await once(server.listen(0, '127.0.0.1'), 'listening');
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    treat(path, roughness) {
      if (roughness) treated.set(path, roughness);
      else treated.delete(path);
    },
    async close() {
      server.closeAllConnections();
      await new Promise((resolve) => server.close(resolve));
    },
  };
}
