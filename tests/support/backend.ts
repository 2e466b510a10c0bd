import { randomBytes } from 'node:crypto';
import {
  createServer,
  type IncomingHttpHeaders,
  type IncomingMessage,
  type RequestListener,
  type ServerResponse,
} from 'node:http';
import { createServer as createTlsServer, type ServerOptions } from 'node:https';
import type { AddressInfo, Server } from 'node:net';
import { whenDone } from './when-done';

/** A request as it came over the wire. */
interface Received {
  readonly method: string;
  /** Path and query. */
  readonly url: string;
  readonly headers: IncomingHttpHeaders;
  readonly body: Buffer;
  /** Whether it carried a credential that counts at this moment. */
  readonly authorized: boolean;
}

export type Answer = (request: Received, response: ServerResponse, incoming: IncomingMessage) => unknown;

/** A loopback server that keeps all it gets, headers and bodies too. */
export interface Backend {
  readonly url: string;
  readonly port: number;
  readonly received: Received[];
  to(path: string): Received[];
  /** Any of the secrets it ever handed out or accepts, by name. */
  readonly secrets: Record<string, string>;
  readonly apiToken: string;
  readonly username: string;
  readonly password: string;
  /** No access token that was issued until now counts any more. */
  expire(): void;
  /** Answers the requests to a path (without query) instead of it. Returning false leaves the usual answer. */
  on(path: string, answer: Answer): void;
  /** Answers, as it would by itself now, a request that an answer of one's own has kept waiting. */
  replay(request: Received, response: ServerResponse, incoming: IncomingMessage): void;
  close(): Promise<void>;
}

export interface BackendOptions {
  readonly tls?: ServerOptions;
  /** Answers whatever is neither sign-in nor refresh and has no answer of its own; may be asked without credential. */
  readonly other?: Answer;
}

export function sendJson(
  response: ServerResponse,
  status: number,
  body: unknown,
  headers: Record<string, string> = {},
) {
  response.writeHead(status, { 'content-type': 'application/json; charset=utf-8', ...headers });
  response.end(JSON.stringify(body));
}

/**
 * Signs in, refreshes and answers `{ ok: true }` to who is authorized, like a Qelos that keeps everything it gets. Use it
 * where a test looks at what was sent; `startQelosServer` where it looks at what was answered.
 */
export async function startBackend({ tls, other }: BackendOptions = {}): Promise<Backend> {
  const received: Received[] = [];
  const answers = new Map<string, Answer>();
  const random = (name: string) => `${name}-${randomBytes(12).toString('hex')}`;
  const apiToken = `ql_${randomBytes(32).toString('hex')}`;
  const username = 'someone';
  const password = random('password');
  const secrets: Record<string, string> = { apiToken, password };
  let access: string | undefined;
  let refreshToken: string | undefined;
  let issued = 0;

  const issue = () => {
    issued += 1;
    access = random('access');
    refreshToken = random('refresh');
    secrets[`access${issued}`] = access;
    secrets[`refresh${issued}`] = refreshToken;
    return { token: access, refreshToken, user: { username, email: `${username}@null`, roles: ['admin'] } };
  };

  const listener: RequestListener = async (incoming, response) => {
    const chunks: Buffer[] = [];
    try {
      for await (const chunk of incoming) chunks.push(chunk);
    } catch {
      return;
    }
    const { headers } = incoming;
    const key = headers['x-api-key'];
    const authorized = key
      ? key === apiToken
      : access !== undefined && headers.authorization === `Bearer ${access}` && headers.cookie === undefined;
    const request: Received = {
      method: incoming.method ?? '',
      url: incoming.url ?? '',
      headers,
      body: Buffer.concat(chunks),
      authorized,
    };
    received.push(request);
    answer(request, response, incoming);
  };

  const answer = (request: Received, response: ServerResponse, incoming: IncomingMessage): void => {
    const { headers, authorized } = request;
    const key = headers['x-api-key'];
    const path = request.url.split('?', 1)[0] ?? '';
    const special = answers.get(path);
    if (special && special(request, response, incoming) !== false) return;
    if (path === '/api/signin') {
      const body = JSON.parse(request.body.toString() || '{}');
      if (body.username === username && body.password === password) sendJson(response, 200, { payload: issue() });
      else sendJson(response, 401, { errors: { general: { message: 'Invalid username or password' } } });
    } else if (path === '/api/token/refresh') {
      if (refreshToken !== undefined && headers.authorization === `Bearer ${refreshToken}`) {
        sendJson(response, 200, { payload: issue() });
      } else response.writeHead(401).end();
    } else if (other && other(request, response, incoming) !== false) {
      return;
    } else if (authorized) {
      sendJson(response, 200, { ok: true, _id: '65f0c0ffee65f0c0ffee65f0', username, roles: ['admin'] });
    } else {
      sendJson(response, 401, { message: key ? 'Invalid or expired API token' : 'authorization token is not valid.' });
    }
  };

  const server = tls ? createTlsServer(tls, listener) : createServer({ keepAliveTimeout: 60_000 }, listener);
  const port = await listen(server);
  const close = () =>
    new Promise<void>((resolve) => {
      server.close(() => resolve());
      server.closeAllConnections();
    });
  whenDone(close);
  return {
    url: `${tls ? 'https' : 'http'}://127.0.0.1:${port}`,
    port,
    received,
    to: (path) => received.filter(({ url }) => url.split('?', 1)[0] === path),
    secrets,
    apiToken,
    username,
    password,
    expire: () => {
      access = undefined;
    },
    on: (path, special) => answers.set(path, special),
    replay: answer,
    close,
  };
}

/** Listens on a free port of 127.0.0.1. Returns the port. */
export async function listen(server: Server, port = 0): Promise<number> {
  await new Promise<void>((resolve, reject) => {
    server.once('error', reject);
    server.listen({ port, host: '127.0.0.1', backlog: 16_384 }, resolve);
  });
  return (server.address() as AddressInfo).port;
}
