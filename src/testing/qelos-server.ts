import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { Accounts, type User } from './accounts';
import { type Answer, errorPage, refusal, write } from './answers';
import { ApiTokens } from './api-tokens';
import { createAuthGuards } from './auth-guards';
import { authRoutes, hostnameOf } from './auth-routes';
import { AuthServiceState } from './auth-service-state';
import { Authentication } from './authentication';
import { commit, Faults } from './faults';
import { Gateway, type HandleOwn } from './gateway';
import { ownRoute, warnOfUnknown } from './own-routes';
import { defaultUsers, populate } from './population';
import type { QelosServer, QelosServerOptions } from './qelos-server.types';
import { readBody } from './request-body';
import { RequestLog } from './request-log';
import { Routes, type WireRequest } from './routing';
import { serverNow } from './server-clock';
import { serviceRoutes } from './service-routes';
import { Sessions } from './sessions';
import { userRoutes } from './user-routes';
import { workspaceRoutes } from './workspace-routes';

export type { QelosServer } from './qelos-server.types';

/** Connections the system may hold back until they are accepted: tests open thousands at once. */
const BACKLOG = 16_384;

/** Longer than any client keeps an idle connection, so that none is closed just as it is used again. */
const KEEP_ALIVE_MS = 120_000;

const YEAR_MS = 365 * 24 * 60 * 60 * 1000;

/** By which the server is reached. Of others the gateway says that it has no website for them. */
const HOSTS: readonly string[] = ['127.0.0.1', 'localhost', '[::1]'];

/**
 * Starts a Qelos on loopback that answers as recorded from a real one: the auth service behind the gateway, and what the
 * SDK calls of the services behind it (blueprints and their entities, blocks, integrations, lambdas). Everything is in
 * memory and starts afresh.
 *
 * ```ts
 * const server = await startQelosServer();
 * const [admin] = server.users;
 * // … sign in at server.url …
 * expect(server.requests.count({ path: '/api/signin' })).toBe(1);
 * await server.close();
 * ```
 *
 * It has its own clock, which a test's fake timers and mocked dates do not move. A request that it has no route for is
 * answered as by Qelos (401 `plugin not exist`), and a process warning says so, once for each method and path.
 *
 * @throws Error if two users have one name, or (`code` `EADDRINUSE`) the port is taken
 */
export async function startQelosServer(options: QelosServerOptions = {}): Promise<QelosServer> {
  const { port = 0, accessTokenSeconds = 300 * 60, refreshTokenSeconds = 30 * 24 * 60 * 60, latencyMs = 0 } = options;
  const accounts = new Accounts();
  const users = populate(accounts, options.users ?? defaultUsers());
  const apiTokens = new ApiTokens(accounts);
  const state = new AuthServiceState(latencyMs, () => apiTokens.forgetUses());
  const lives = { accessSeconds: accessTokenSeconds, refreshSeconds: refreshTokenSeconds };
  const sessions = new Sessions(accounts, state, lives);
  const authentication = new Authentication({ accounts, sessions, apiTokens, state });
  const services = { accounts, sessions, apiTokens, state, ...createAuthGuards(authentication, state) };
  const log = new RequestLog();
  const faults = new Faults();
  const ownRoutes = new Routes<HandleOwn>();
  const gateway = new Gateway({
    authentication,
    state,
    authRoutes: new Routes([...authRoutes(services), ...userRoutes(services), ...workspaceRoutes(services)]),
    serviceRoutes: new Routes(serviceRoutes()),
    ownRoutes,
    meFails: () => faults.take('/api/me') !== undefined,
    unknown: warnOfUnknown(),
  });

  async function answer(request: WireRequest, refused: Answer | undefined): Promise<Answer> {
    const host = hostnameOf(request.headers.host);
    if (!HOSTS.includes(host)) return refusal(400, `no website for host: ${host}`);
    return refused ?? gateway.answer(request);
  }

  async function serve(incoming: IncomingMessage, response: ServerResponse): Promise<void> {
    const { method = 'GET', headers } = incoming;
    const [, path = '/', search] = /^([^?]*)\??(.*)$/.exec(incoming.url ?? '/') ?? [];
    const query = new URLSearchParams(search);
    const logged = log.received(method, path, query, headers);
    const read = readBody(incoming).then(({ refused, ...body }) => {
      logged.carried(body.content);
      return { refused, ...body };
    });
    const fault = faults.take(path);
    if (fault !== undefined) {
      read.catch(() => undefined); // A body that is cut is no matter here: the fault goes out at once.
      commit(fault, response, (status) => logged.answered(status));
      return;
    }
    const found = await read
      .then(({ refused, ...rest }) => answer({ method, path, query, headers, ...rest }, refused))
      .catch(() => errorPage(500));
    if (response.destroyed) return;
    logged.answered(found.status);
    write({ ...found, headers: { ...found.headers, 'x-api-version': 'v1' } }, response);
  }

  const server = createServer(
    { keepAliveTimeout: KEEP_ALIVE_MS },
    (request, response) => void serve(request, response),
  );
  await new Promise<void>((resolve, reject) => {
    server.once('error', reject);
    server.listen({ port, host: '127.0.0.1', backlog: BACKLOG }, () => {
      server.off('error', reject);
      resolve();
    });
  });

  const userNamed = (username: string): User => {
    const user = accounts.userNamed(username);
    if (user === undefined) throw new Error(`this server has no user "${username}"`);
    return user;
  };

  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    users,
    requests: {
      count: (filter) => log.count(filter),
      list: (filter) => log.list(filter),
      reset: () => log.reset(),
    },
    route: (method, path, handler) => ownRoutes.add([method, path, ownRoute(accounts, handler)]),
    issueApiToken: ({ username = users[0]?.username ?? '', expiresAt, workspace } = {}) =>
      apiTokens.issue(userNamed(username), {
        nickname: 'test',
        expiresAt: expiresAt ?? new Date(serverNow() + YEAR_MS),
        workspace,
      }).token,
    revokeApiToken: (token) => apiTokens.revoke(token),
    expireAccessTokens: () => sessions.expireAccessTokens(),
    revokeSessions: (username) => {
      for (const user of username === undefined ? accounts.users() : [userNamed(username)]) sessions.revoke(user);
    },
    fail: (path, fault, times = Number.POSITIVE_INFINITY) => faults.set(path, fault, times),
    deploy: () => state.begin('deploying'),
    stopAuthService: () => state.begin('stopped'),
    freezeDatabase: () => state.begin('frozen'),
    close: () =>
      new Promise((resolve) => {
        server.close(() => resolve());
        server.closeAllConnections();
      }),
  };
}
