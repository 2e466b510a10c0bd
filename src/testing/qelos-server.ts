import { randomBytes } from 'node:crypto';
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { Accounts, type Membership, type User, type Workspace } from './accounts';
import { type Answer, errorPage, refusal } from './answers';
import { ApiTokens } from './api-tokens';
import { Authentication } from './authentication';
import { Entities } from './entities';
import { commit, Faults, type QelosServerFault } from './faults';
import { readBody } from './request-body';
import { type RequestFilter, RequestLog } from './request-log';
import { createRouter } from './routes';
import { serverNow } from './server-clock';
import { Sessions } from './sessions';

/** A user to start with. */
export interface QelosServerUserOptions {
  readonly username: string;
  readonly password: string;
  /** `['user']` if left out. `admin` is privileged; managing API tokens takes `admin` or `user`. */
  readonly roles?: readonly string[];
  /** The workspaces the user is a member of. A name alone will do; users who name the same workspace share it. */
  readonly workspaces?: readonly (string | QelosServerWorkspaceOptions)[];
}

/** A workspace to start with. */
export interface QelosServerWorkspaceOptions {
  readonly name: string;
  /** Made up if left out; read it from `server.users`. */
  readonly _id?: string;
  /** The user's roles in it; `['user']` if left out. */
  readonly roles?: readonly string[];
  readonly labels?: readonly string[];
}

export interface QelosServerOptions {
  /** A free one if left out. */
  readonly port?: number;
  /** Whole seconds; 300 minutes if left out, as in Qelos. */
  readonly accessTokenSeconds?: number;
  /** Whole seconds; 30 days if left out, as in Qelos. Cookie sessions live as long. */
  readonly refreshTokenSeconds?: number;
  /** An admin and a plain user, with passwords made up for each server, if left out. */
  readonly users?: readonly QelosServerUserOptions[];
}

/** A user the server started with. The password is there for tests to sign in with, and shows wherever this is printed. */
export interface QelosServerUser {
  readonly username: string;
  readonly password: string;
  readonly roles: readonly string[];
  readonly workspaces: readonly Membership[];
}

/** A running server, and what a test can do to it. */
export interface QelosServer {
  /** Its origin, `http://127.0.0.1:…`. */
  readonly url: string;
  /** The users it started with, the admin first unless you chose. The only place that holds a password in the clear. */
  readonly users: readonly QelosServerUser[];
  /** The requests received, faults included. No header and no body is kept. */
  readonly requests: {
    count(filter?: RequestFilter): number;
    /** Starts again at none. */
    reset(): void;
  };
  /**
   * An API token, of the first user unless named. It lives a year; a past `expiresAt` makes one that has expired, a
   * `workspace` of no such id one whose workspace is gone. The limit of ten a user does not apply here.
   *
   * @throws Error if there is no such user
   */
  issueApiToken(options?: { username?: string; expiresAt?: Date; workspace?: string }): string;
  /** The token is refused from now on. */
  revokeApiToken(token: string): void;
  /** Every access token issued until now is refused. Those issued from now on are good, in the same second too. */
  expireAccessTokens(): void;
  /**
   * Refresh tokens and cookies are refused from now on: one user's, or everybody's. Access tokens live on.
   *
   * @throws Error if there is no such user
   */
  revokeSessions(username?: string): void;
  /**
   * Answers requests to `path` (without a query, any method) with `fault` instead. Goes on until told otherwise, or for
   * `times` requests. A later call for the same path replaces the former; `times` 0 ends it.
   *
   * A fault on `/api/me` also hits the other services, as in Qelos: the gateway asks there who is calling (which uses up
   * one of `times`), gets no good answer, and passes the call on as anonymous. The 2 s it waits for one are left out.
   */
  fail(path: string, fault: QelosServerFault, times?: number): void;
  /** Cuts every connection and frees the port. Nothing keeps the process alive afterwards. May be called twice. */
  close(): Promise<void>;
}

/** Connections the system may hold back until they are accepted: tests open thousands at once. */
const BACKLOG = 16_384;

/** Longer than any client keeps an idle connection, so that none is closed just as it is used again. */
const KEEP_ALIVE_MS = 120_000;

const YEAR_MS = 365 * 24 * 60 * 60 * 1000;

/** By which the server is reached. Of others the gateway says that it has no website for them. */
const HOSTS: readonly string[] = ['127.0.0.1', 'localhost', '[::1]'];

/**
 * Starts a Qelos on loopback that answers as recorded from a real one: the auth service behind the gateway, and the
 * entities of a service behind it. Everything is in memory and starts afresh.
 *
 * ```ts
 * const server = await startQelosServer();
 * const [admin] = server.users;
 * // … sign in at server.url …
 * expect(server.requests.count({ path: '/api/signin' })).toBe(1);
 * await server.close();
 * ```
 *
 * It has its own clock, which a test's fake timers and mocked dates do not move.
 */
export async function startQelosServer(options: QelosServerOptions = {}): Promise<QelosServer> {
  const { port = 0, accessTokenSeconds = 300 * 60, refreshTokenSeconds = 30 * 24 * 60 * 60 } = options;
  const accounts = new Accounts();
  const users = populate(accounts, options.users ?? defaultUsers());
  const sessions = new Sessions(accounts, { accessSeconds: accessTokenSeconds, refreshSeconds: refreshTokenSeconds });
  const apiTokens = new ApiTokens(accounts);
  const log = new RequestLog();
  const faults = new Faults();
  const route = createRouter({
    accounts,
    sessions,
    apiTokens,
    authentication: new Authentication(sessions, apiTokens),
    entities: new Entities(),
    meFails: () => faults.take('/api/me') !== undefined,
  });

  async function answer(request: IncomingMessage, path: string): Promise<Answer> {
    const host = hostname(request.headers.host ?? '');
    if (!HOSTS.includes(host)) return refusal(400, `no website for host: ${host}`);
    const read = await readBody(request);
    if ('refused' in read) return read.refused;
    return route({ method: request.method ?? 'GET', path, headers: request.headers, body: read.body });
  }

  async function serve(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const path = request.url?.split('?', 1)[0] ?? '/';
    const answered = log.received(request.method ?? 'GET', path);
    const fault = faults.take(path);
    if (fault !== undefined) {
      request.resume();
      commit(fault, response, answered);
      return;
    }
    const { status, headers, body = '' } = await answer(request, path).catch(() => errorPage(500));
    if (response.destroyed) return;
    answered(status);
    response
      .writeHead(status, { ...headers, 'x-api-version': 'v1', 'content-length': Buffer.byteLength(body) })
      .end(body);
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
      reset: () => log.reset(),
    },
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
    close: () =>
      new Promise((resolve) => {
        server.close(() => resolve());
        server.closeAllConnections();
      }),
  };
}

function defaultUsers(): QelosServerUserOptions[] {
  const password = () => randomBytes(12).toString('base64url');
  return [
    { username: 'admin', password: password(), roles: ['admin'] },
    { username: 'user', password: password(), roles: ['user'] },
  ];
}

/** Creates the users and their workspaces, and says what has become of them. */
function populate(accounts: Accounts, wanted: readonly QelosServerUserOptions[]): QelosServerUser[] {
  const workspaces = new Map<string, Workspace>();
  return wanted.map(({ username, password, roles, workspaces: memberOf = [] }) => {
    const user = accounts.addUser({ username, password, roles });
    const memberships = memberOf.map((entry): Membership => {
      const option = typeof entry === 'string' ? { name: entry } : entry;
      const key = option._id ?? option.name;
      const workspace = workspaces.get(key) ?? accounts.addWorkspace(option);
      workspaces.set(key, workspace);
      workspace.members.set(user._id, option.roles ?? ['user']);
      return { _id: workspace._id, name: workspace.name, roles: option.roles ?? ['user'], labels: workspace.labels };
    });
    return { username, password, roles: user.roles, workspaces: memberships };
  });
}

/** The host of a `Host` header, without the port. */
function hostname(host: string): string {
  return host.replace(/:\d*$/, '').toLowerCase();
}
