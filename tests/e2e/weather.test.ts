import { connect, createServer, type Socket } from 'node:net';
import { expect, it } from '@jest/globals';
import { isAxiosError } from 'axios';
import { isAuthError } from '../../src';
import { startQelosServer } from '../../src/testing';
import { listen } from '../support/backend';
import { ways } from '../support/ways';
import { whenDone } from '../support/when-done';

/** A way to a server on which every so many new connections are cut as soon as something is sent over them. */
async function unsteady(port: number, isCut: () => boolean): Promise<{ url: string; cut: () => number }> {
  const sockets = new Set<Socket>();
  let cut = 0;
  const server = createServer((socket) => {
    sockets.add(socket);
    socket.on('error', () => {});
    if (isCut()) {
      cut += 1;
      socket.once('data', () => socket.resetAndDestroy());
      return;
    }
    const upstream = connect(port, '127.0.0.1');
    sockets.add(upstream);
    upstream.on('error', () => socket.destroy());
    socket.on('close', () => upstream.destroy());
    socket.pipe(upstream);
    // As recorded of the gateway: one request a connection.
    upstream.on('data', (data) =>
      socket.write(data.toString('latin1').replace('Connection: keep-alive', 'Connection: close'), 'latin1'),
    );
    upstream.on('end', () => socket.end());
  });
  const own = await listen(server as never);
  whenDone(() => {
    for (const socket of sockets) socket.destroy();
    return new Promise((resolve) => server.close(resolve));
  });
  return { url: `http://127.0.0.1:${own}`, cut: () => cut };
}

/** A small linear congruential generator, so that the weather is the same each time. */
function chance(): () => number {
  let state = 7;
  return () => {
    state = (state * 1_103_515_245 + 12_345) % 2_147_483_648;
    return state / 2_147_483_648;
  };
}

it.each(ways)(
  'W01: with 30 % of connections cut, only calls fail whose own connection was cut, through $name',
  async ({ open, send }) => {
    const server = await startQelosServer({ accessTokenSeconds: 1 });
    whenDone(() => server.close());
    const next = chance();
    const way = await unsteady(Number(new URL(server.url).port), () => next() < 0.3);
    const { username, password } = server.users[0] as { username: string; password: string };
    const auth = open({ config: { url: way.url, username, password } });
    const outcomes = { answered: 0, cut: 0 };
    const others: unknown[] = [];
    const end = Date.now() + 3_000;
    const caller = async () => {
      for (let call = 0; call < 500 && Date.now() < end; call++) {
        try {
          const { status } = await send(auth, { path: '/api/me' });
          if (status === 200) outcomes.answered += 1;
          else others.push(status);
        } catch (error) {
          const cause = isAxiosError(error) ? error : (error as Error).cause;
          const isOwn = !isAuthError(error) && isAxiosError(cause) && cause.response === undefined;
          if (isOwn) outcomes.cut += 1;
          else others.push(error);
        }
      }
    };
    await Promise.all(Array.from({ length: 8 }, caller));
    expect(others).toEqual([]);
    expect(outcomes.answered).toBeGreaterThan(20);
    expect(way.cut()).toBeGreaterThan(2);
    expect(server.requests.count({ path: '/api/token/refresh' })).toBeGreaterThan(0);
  },
  30_000,
);
