import { createServer } from 'node:http';
import { connect } from 'node:net';
import { listen } from './backend';
import { whenDone } from './when-done';

export interface Proxy {
  readonly url: string;
  readonly port: number;
  /** All bytes that reached it readable: requests to forward, and the heads of CONNECTs. */
  readonly seen: string[];
}

/** A forward proxy on loopback that tunnels CONNECT and answers everything else by itself. */
export async function startProxy(): Promise<Proxy> {
  const seen: string[] = [];
  const server = createServer((request, response) => {
    seen.push(`${request.method} ${request.url} ${JSON.stringify(request.rawHeaders)}`);
    response.writeHead(200, { 'content-type': 'application/json' }).end('{"from":"proxy"}');
  });
  const sockets = new Set<{ destroy(): unknown }>();
  server.on('connect', (request, socket, head) => {
    seen.push(`${request.method} ${request.url} ${JSON.stringify(request.rawHeaders)} ${head}`);
    const [host, port] = (request.url ?? '').split(':');
    const upstream = connect(Number(port), host, () => {
      socket.write('HTTP/1.1 200 Connection established\r\n\r\n');
      upstream.write(head);
      upstream.pipe(socket).pipe(upstream);
    });
    for (const end of [socket, upstream]) {
      sockets.add(end);
      end.on('error', () => {});
    }
  });
  const port = await listen(server);
  whenDone(() => {
    for (const socket of sockets) socket.destroy();
    server.closeAllConnections();
    return new Promise((resolve) => server.close(resolve));
  });
  return { url: `http://127.0.0.1:${port}`, port, seen };
}
