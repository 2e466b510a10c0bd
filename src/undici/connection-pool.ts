import { Socket } from 'node:net';
import type { buildConnector, Dispatcher } from 'undici';
import { Connection } from './connection';
import { loadUndici } from './load-undici';
import { connectionReset } from './node-terms';

const CONNECTIONS: buildConnector.BuildOptions & { highWaterMark: number } = {
  allowH2: false,
  /** Longer than anybody waits for a connection; so those that never come about do not pile up. */
  timeout: 60_000,
  /** Nothing is read ahead of an answer's reader: a reset that was read would take with it what he has not got yet. */
  highWaterMark: 1,
};

let shared: ConnectionPool | undefined;

/** One pool for all instances, as Node's global agents are; idle connections keep no process alive. */
export function sharedPool(): ConnectionPool {
  shared ??= new ConnectionPool(loadUndici());
  return shared;
}

/** undici's pool, which gives up connections that are still being made when nobody waits for them any more: undici does not. */
export class ConnectionPool {
  readonly #agent: Dispatcher;
  readonly #connecting = new Set<Socket>();
  #waiting = 0;

  constructor(undici: typeof import('undici')) {
    const connect = undici.buildConnector(CONNECTIONS);
    this.#agent = new undici.Agent({
      // No time limits of undici's own: those of a request are its caller's to set.
      headersTimeout: 0,
      bodyTimeout: 0,
      connect: (options, callback) => {
        const done = ((...result: Parameters<typeof callback>) => {
          this.#connecting.delete(socket as Socket);
          callback(...result);
        }) as typeof callback;
        const socket: unknown = connect(options, done);
        if (!(socket instanceof Socket)) return;
        this.#connecting.add(socket);
        new Connection(socket);
      },
    });
  }

  dispatch(options: Dispatcher.DispatchOptions, handler: Dispatcher.DispatchHandler): void {
    this.#waiting += 1;
    this.#agent.dispatch(options, handler);
  }

  /** To be called once for each request, when it has a connection or needs none any more. */
  served(): void {
    this.#waiting -= 1;
    if (this.#waiting > 0) return;
    for (const socket of this.#connecting) socket.destroy(connectionReset('aborted'));
  }
}
