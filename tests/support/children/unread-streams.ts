import type { Socket } from 'node:net';
import { createServer } from 'node:net';
import type { Readable } from 'node:stream';
import axios from 'axios';
import { undici } from 'qelos-auth/undici';

/** What befalls a stream that nobody listens to. */
const FATES: Record<string, (stream: Readable, socket: Socket, abort: () => void) => unknown> = {
  cut: (_stream, socket) => socket.end(),
  reset: (_stream, socket) => socket.resetAndDestroy(),
  aborted: (_stream, _socket, abort) => abort(),
  destroyed: (stream) => stream.destroy(new Error('enough')),
  'given up': (stream) => stream.destroy(),
};

/** Lets each of them happen, reads only then, and says how that went: `{ [status, fate]: code }`. */
async function main(): Promise<void> {
  const sockets: Socket[] = [];
  const server = createServer((socket) => {
    socket.on('error', () => {});
    socket.on('data', (data) => {
      sockets.push(socket); // the one that answers is the last
      const status = /\/(\d+)/.exec(data.toString())?.[1];
      socket.write(`HTTP/1.1 ${status} Whatever\r\ncontent-length: 1000000\r\n\r\n${'a'.repeat(1000)}`);
    });
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const { port } = server.address() as { port: number };
  const { isOverNode } = JSON.parse(process.argv[2] as string);
  const outcomes: Record<string, string> = {};
  for (const status of [200, 404]) {
    for (const [fate, befall] of Object.entries(FATES)) {
      if (status === 404 && fate === 'aborted') continue; // axios has let go of the signal
      const controller = new AbortController();
      const { data }: { data: Readable } = await axios
        .get(`http://127.0.0.1:${port}/${status}`, {
          ...{ responseType: 'stream', maxRedirects: 0, proxy: false, signal: controller.signal },
          ...(!isOverNode && { transport: undici() }),
        })
        .catch((error) => error.response);
      const closed = new Promise((resolve) => data.once('close', resolve));
      befall(data, sockets.at(-1) as Socket, () => controller.abort());
      if (fate === 'cut') data.resume(); // as Node sees the end of a connection only where it reads
      await closed;
      await new Promise(setImmediate);
      outcomes[`${status}, ${fate}`] = await data.toArray().then(
        () => 'whole',
        (error) => error.code ?? error.message,
      );
    }
  }
  for (const socket of sockets) socket.destroy();
  server.close();
  console.log(JSON.stringify(outcomes));
}

main();
