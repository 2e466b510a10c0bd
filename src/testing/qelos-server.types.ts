import type { OutgoingHttpHeaders } from 'node:http';
import type { Membership } from './accounts';
import type { QelosServerFault } from './faults';
import type { ReceivedRequest, RequestFilter } from './request-log';

/** A user to start with. */
export interface QelosServerUserOptions {
  readonly username: string;
  readonly password: string;
  /** The user name if left out. */
  readonly firstName?: string | undefined;
  /** `Qelos` if left out. */
  readonly lastName?: string | undefined;
  /** `['user']` if left out. `admin` is privileged; managing API tokens takes `admin` or `user`. */
  readonly roles?: readonly string[] | undefined;
  /** The workspaces the user is a member of. A name alone will do; users who name the same workspace share it. */
  readonly workspaces?: readonly (string | QelosServerWorkspaceOptions)[] | undefined;
}

/** A workspace to start with. */
export interface QelosServerWorkspaceOptions {
  readonly name: string;
  /** Made up if left out; read it from `server.users`. */
  readonly _id?: string | undefined;
  /** The user's roles in it; `['user']` if left out. */
  readonly roles?: readonly string[] | undefined;
  readonly labels?: readonly string[] | undefined;
}

/** How `startQelosServer` starts it. */
export interface QelosServerOptions {
  /** A free one if left out. */
  readonly port?: number | undefined;
  /** Whole seconds; 300 minutes if left out, as in Qelos. */
  readonly accessTokenSeconds?: number | undefined;
  /** Whole seconds; 30 days if left out, as in Qelos. Cookie sessions live as long. */
  readonly refreshTokenSeconds?: number | undefined;
  /**
   * Milliseconds that each operation of the auth service's database takes; 0 if left out. A sign-in takes four, one
   * after another, a refresh two, `GET /api/me` one, and so does the gateway's asking who is calling. Of several sign-ins
   * of a user with more than ten sessions that overlap, one is saved: with 300 ms, about one a second, as recorded.
   */
  readonly latencyMs?: number | undefined;
  /** An admin and a plain user, with passwords made up for each server, if left out. */
  readonly users?: readonly QelosServerUserOptions[] | undefined;
}

/** A user the server started with. The password is there for tests to sign in with, and shows wherever this is printed. */
export interface QelosServerUser {
  readonly _id: string;
  readonly username: string;
  readonly password: string;
  readonly firstName: string;
  readonly lastName: string;
  readonly roles: readonly string[];
  readonly workspaces: readonly Membership[];
}

/** A request to a route that a test has added. */
export interface QelosServerCall extends Omit<ReceivedRequest, 'status'> {
  /** The parts of the path that the route's `:name` stand for. */
  readonly params: Readonly<Record<string, string>>;
  /** Who is calling: what `GET /api/me` answers, such as `username`, `roles` and `workspace`. */
  readonly user: Readonly<Record<string, unknown>>;
}

/**
 * What it is answered with. `status` is 200 if left out. A string or bytes go out as they are, as `text/plain` unless
 * `headers` say otherwise; any other `body`, `null` too, goes out as JSON; without one, the body is empty.
 */
export interface QelosServerReply {
  readonly status?: number | undefined;
  readonly body?: unknown;
  readonly headers?: OutgoingHttpHeaders | undefined;
}

/** Answers the requests to a route. What it throws is answered with 500, and printed as a process warning. */
export type QelosServerHandler = (call: QelosServerCall) => QelosServerReply | Promise<QelosServerReply>;

/** A running server, and what a test can do to it. */
export interface QelosServer {
  /** Its origin, `http://127.0.0.1:…`. */
  readonly url: string;
  /** The users it started with, the admin first unless you chose. The only place that holds a password in the clear. */
  readonly users: readonly QelosServerUser[];
  /** The requests received, faults included. What the gateway asks of the auth service is not among them. */
  readonly requests: {
    count(filter?: RequestFilter): number;
    /** The latest 1,000, in the order received, with their headers and bodies; secrets are hidden. */
    list(filter?: RequestFilter): ReceivedRequest[];
    /** Starts again at none. */
    reset(): void;
  };
  /**
   * Adds a route, or takes over one that is there. Who is calling is decided as for all others: without a good
   * credential the answer is the 401 of the service that the path belongs to, and the handler is not called.
   *
   * ```ts
   * server.route('GET', '/api/shop/orders/:id', ({ params, user }) => ({ body: { id: params.id, of: user.username } }));
   * ```
   *
   * @param path - `:name` stands for a part of it
   */
  route(method: string, path: string, handler: QelosServerHandler): void;
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
   * A fault on `/api/me` also hits the services behind the gateway, as in Qelos: the gateway asks there who is calling
   * (which uses up one of `times`), gets no good answer, and passes the call on as anonymous. The 2 s it waits for one are
   * left out.
   */
  fail(path: string, fault: QelosServerFault, times?: number): void;
  /**
   * The auth service is being deployed: it has closed its database and serves on. Access tokens and API tokens it has
   * met are good; a right password is answered as a wrong one, a good refresh token with 401, any other API token with
   * `API token authentication failed`. Returns what lets the new one take over; it has met no API token yet.
   *
   * ```ts
   * const takeOver = server.deploy();
   * // … calls while it is half dead …
   * takeOver();
   * ```
   *
   * Nothing here goes by a clock, so it may be called under fake timers. Of `deploy`, `stopAuthService` and
   * `freezeDatabase` the latest counts; ending one that another has replaced does nothing.
   */
  deploy(): () => void;
  /**
   * The auth service is down behind a gateway that lives: its own paths answer 504 as text, and the other services take
   * everybody for anonymous. Returns what starts it again; it has met no API token then.
   */
  stopAuthService(): () => void;
  /**
   * The database of the auth service takes requests and answers none. What needs it waits until it is thawed, or fails
   * after 30 s as recorded: a right password reads as a wrong one. The gateway does not wait (its 2 s are left out), and
   * the other services take everybody for anonymous. Returns what thaws it.
   */
  freezeDatabase(): () => void;
  /** Cuts every connection and frees the port. Nothing keeps the process alive afterwards. May be called twice. */
  close(): Promise<void>;
}
