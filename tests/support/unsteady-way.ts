import { once } from 'node:events';
import { type AddressInfo, connect, createServer, type Socket } from 'node:net';

/** `cut`: reset as soon as something comes over it. `lost`: the request arrives, and its answer does not. */
export type Fate = 'cut' | 'lost' | undefined;

/** A way to a server on which some connections come to a bad end. */
export interface UnsteadyWay {
  readonly url: string;
  /** How many have been cut. */
  readonly cut: () => number;
  /** From now on the connections that there are get a reset where what comes over them next is for this path. */
  freeze(path: string): void;
  close(): Promise<void>;
}

/**
 * Opens a way to the server at a port of this machine.
 *
 * @param fate - asked for each new connection
 * @param keepAlive - whether connections stay open; else they carry one request each, as recorded of the gateway
 */
export async function openUnsteadyWay(port: number, fate: () => Fate, keepAlive = false): Promise<UnsteadyWay> {
  const sockets = new Set<Socket>();
  const frozen = new WeakMap<Socket, string>();
  let cut = 0;
  const cutOff = (socket: Socket) => {
    cut += 1;
    socket.resetAndDestroy();
  };
  const server = createServer((socket) => {
    const comesTo = fate();
    const upstream = connect(port, '127.0.0.1');
    for (const end of [socket, upstream]) {
      sockets.add(end);
      end.on('close', () => sockets.delete(end));
    }
    socket.on('error', () => {});
    upstream.on('error', () => socket.destroy());
    socket.on('close', () => upstream.destroy());
    socket.on('data', (data) => {
      const path = frozen.get(socket);
      if (comesTo === 'cut' || (path !== undefined && data.includes(` ${path} `))) cutOff(socket);
      else upstream.write(data);
    });
    upstream.on('data', (data) => {
      if (comesTo === 'lost') cutOff(socket);
      else if (keepAlive) socket.write(data);
      else socket.write(data.toString('latin1').replace('Connection: keep-alive', 'Connection: close'), 'latin1');
    });
    upstream.on('end', () => socket.end());
  });
  await once(server.listen(0, '127.0.0.1'), 'listening');
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    cut: () => cut,
    freeze(path) {
      for (const socket of sockets) frozen.set(socket, path);
    },
    async close() {
      for (const socket of sockets) socket.destroy();
      await new Promise((resolve) => server.close(resolve));
    },
  };
}
