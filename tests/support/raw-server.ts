import { type AddressInfo, createServer, type Socket } from 'node:net';
import { whenDone } from './when-done';

/**
 * A server that speaks whatever it is told to: `answer` gets each piece of what a client sends, as text. It is gone with
 * the test, and so are its connections.
 */
export async function startRawServer(
  answer: (socket: Socket, sent: string) => unknown,
): Promise<{ url: string; connections: () => number }> {
  const sockets = new Set<Socket>();
  const server = createServer((socket) => {
    sockets.add(socket);
    socket.on('error', () => {}).on('data', (data) => void answer(socket, data.toString('latin1')));
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  whenDone(() => {
    for (const socket of sockets) socket.destroy();
    server.close();
  });
  return { url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`, connections: () => sockets.size };
}
