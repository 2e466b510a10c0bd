import { once } from 'node:events';
import { Socket } from 'node:net';

type Connect = (this: Socket, ...args: unknown[]) => Socket;

/** Those that look at each new connection of the process. */
const detours = new Set<Detour>();
const connect = Socket.prototype.connect as Connect;

/** In the place of `Socket.prototype.connect`, as long as there is a detour: every client in this process comes by here. */
function connectByDetour(this: Socket, ...args: unknown[]): Socket {
  for (const detour of detours) {
    const port = detour.take(this);
    if (port === undefined) continue;
    // node:net passes options and listener in one array, others as they are documented.
    const listener = args.flat().find((argument) => typeof argument === 'function');
    return connect.call(this, { host: '127.0.0.1', port }, listener);
  }
  return connect.apply(this, args);
}

/**
 * Leads the connections of a strategy to somebody else, below whatever client it uses: node:http, axios, fetch, undici. So a
 * suite need not say how to make the strategy's own server misbehave.
 */
export class Detour {
  readonly #isOfStrategy: () => boolean;
  readonly #open = new Set<Socket>();
  #port: number | undefined;

  /** @param isOfStrategy - whether what is done right now is done for the strategy */
  constructor(isOfStrategy: () => boolean) {
    this.#isOfStrategy = isOfStrategy;
    detours.add(this);
    Object.assign(Socket.prototype, { connect: connectByDetour });
  }

  /** Where a new connection has to go, if it is one of the strategy and has to go anywhere else. */
  take(socket: Socket): number | undefined {
    if (!this.#isOfStrategy()) return undefined;
    this.#open.add(socket);
    socket.once('close', () => this.#open.delete(socket));
    return this.#port;
  }

  /** From now on all lead to this port of this machine. Those that a client has kept end, so that none is used again. */
  async lead(port: number): Promise<void> {
    this.#port = port;
    const kept = [...this.#open].filter((socket) => !socket.closed);
    await Promise.all(kept.map((socket) => once(socket.destroy(), 'close')));
  }

  close(): void {
    detours.delete(this);
    if (detours.size === 0) Object.assign(Socket.prototype, { connect });
  }
}
