import { randomBytes } from 'node:crypto';
import { type QelosServer, type QelosServerOptions, startQelosServer } from '../../src/testing';
import { Wire, type WireAnswer, type WireRequest } from './wire';

/** Someone who can sign in. */
export interface Account {
  readonly username: string;
  readonly password: string;
}

export interface Session {
  readonly token: string;
  readonly refreshToken: string;
  readonly user: Readonly<Record<string, unknown>>;
  readonly workspace?: { readonly _id: string; readonly name: string };
}

export type Claims = Readonly<Record<string, unknown>> & { readonly iat: number; readonly exp: number };

/** The claims of a token, unverified. */
export function claimsOf(token: string): Claims {
  return JSON.parse(Buffer.from(token.split('.')[1] ?? '', 'base64url').toString()) as Claims;
}

export const bearer = (token: string) => ({ authorization: `Bearer ${token}` });

/** The request of a sign-in that asks for tokens; `more` is added to its body. */
export function signInRequest(account: Account, more: object = {}): WireRequest {
  return { method: 'POST', path: '/api/signin', json: { ...account, authType: 'oauth', ...more } };
}

export const refreshRequest = (refreshToken: string): WireRequest => ({
  method: 'POST',
  path: '/api/token/refresh',
  headers: bearer(refreshToken),
});

const farAway = () => new Date(Date.now() + 24 * 60 * 60 * 1000).toISOString();

/**
 * A Qelos and the people in it: the embedded one, or a real one by its URL. Whatever the rows need and an admin may
 * create is created over the API, the same way in both, and removed again.
 */
export class World {
  /** The handle of the embedded server. A real one has none. */
  readonly control: QelosServer | undefined;
  readonly admin: Account;
  readonly #wire: Wire;
  readonly #others: QelosServer[] = [];
  readonly #undo: (() => Promise<unknown>)[] = [];

  private constructor(url: string, admin: Account, control?: QelosServer) {
    this.control = control;
    this.admin = admin;
    this.#wire = new Wire(url);
  }

  static async embedded(): Promise<World> {
    const control = await startQelosServer();
    const [admin] = control.users;
    if (admin === undefined) throw new Error('the embedded server starts without an admin');
    return new World(control.url, { username: admin.username, password: admin.password }, control);
  }

  static real(url: string, admin: Account): World {
    return new World(url, admin);
  }

  send(request: WireRequest): Promise<WireAnswer> {
    return this.#wire.send(request);
  }

  /** For the preparation of a row: what has to work before the row says anything. */
  async #expect<T>(request: WireRequest): Promise<T> {
    const { status, text } = await this.send(request);
    if (status >= 300) throw new Error(`${request.method} ${request.path} answered ${status} ${text}`);
    return JSON.parse(text) as T;
  }

  async signIn(account: Account = this.admin, more: object = {}): Promise<Session> {
    const { payload } = await this.#expect<{ payload: Session }>(signInRequest(account, more));
    return payload;
  }

  async refresh(refreshToken: string): Promise<Session> {
    return (await this.#expect<{ payload: Session }>(refreshRequest(refreshToken))).payload;
  }

  /** A cookie session, as a `Cookie` header has it. */
  async cookie(account: Account = this.admin): Promise<string> {
    const { headers } = await this.send({ method: 'POST', path: '/api/signin', json: account });
    return headers['set-cookie']?.[0]?.split(';')[0] ?? '';
  }

  /** The headers of a signed-in user. */
  async as(account: Account = this.admin): Promise<{ authorization: string }> {
    return bearer((await this.signIn(account)).token);
  }

  /** A new user, in the role of `user` unless named. The id is what the API knows the user by. */
  async newUser(more: object = {}): Promise<Account & { readonly _id: string }> {
    const account = {
      username: `conformance-${randomBytes(6).toString('hex')}@example.com`,
      password: randomBytes(12).toString('base64url'),
    };
    const { _id } = await this.#expect<{ _id: string }>({
      method: 'POST',
      path: '/api/users',
      headers: await this.as(),
      json: { ...account, firstName: 'Con', lastName: 'Formance', roles: ['user'], ...more },
    });
    this.#undo.push(() => this.removeUser(_id));
    return { ...account, _id };
  }

  async removeUser(id: string): Promise<void> {
    await this.send({ method: 'DELETE', path: `/api/users/${id}`, headers: await this.as() });
  }

  /** A new workspace with this user as its member. */
  async newWorkspace(account: Account, name: string, more: object = {}): Promise<string> {
    const { _id } = await this.#expect<{ _id: string }>({
      method: 'POST',
      path: '/api/workspaces',
      headers: await this.as(account),
      json: { name, labels: [], ...more },
    });
    this.#undo.push(() => this.removeWorkspace(_id));
    return _id;
  }

  async removeWorkspace(id: string): Promise<void> {
    await this.send({ method: 'DELETE', path: `/api/workspaces/${id}`, headers: await this.as() });
  }

  /** Leaves the admin alone in a workspace. */
  async removeMembers(id: string): Promise<void> {
    const headers = await this.as();
    const { _id } = await this.#expect<{ _id: string }>({ method: 'GET', path: '/api/me', headers });
    const json = { members: [{ user: _id, roles: ['admin'] }] };
    await this.#expect({ method: 'PUT', path: `/api/workspaces/${id}`, headers, json });
  }

  /** A new user who is a member of two workspaces; `Alpha & Omega` is the first. */
  async newMember(): Promise<{ member: Account; first: string; second: string }> {
    const member = await this.newUser();
    const first = await this.newWorkspace(member, 'Alpha & Omega');
    const second = await this.newWorkspace(member, 'Beta');
    return { member, first, second };
  }

  /** A new API token of this user. */
  async newApiToken(account: Account = this.admin, more: object = {}): Promise<{ key: string; _id: string }> {
    const headers = await this.as(account);
    const { token, apiToken } = await this.#expect<{ token: string; apiToken: { _id: string } }>({
      method: 'POST',
      path: '/api/me/api-tokens',
      headers,
      json: { nickname: 'conformance', expiresAt: farAway(), ...more },
    });
    const path = `/api/me/api-tokens/${apiToken._id}`;
    this.#undo.push(async () => this.send({ method: 'DELETE', path, headers }));
    return { key: token, _id: apiToken._id };
  }

  /** The handle, for rows that only take place with it. */
  controlled(): QelosServer {
    if (this.control === undefined) throw new Error('this row takes control of the server');
    return this.control;
  }

  /** Another embedded server, for what is fixed at its start. */
  async another(options: QelosServerOptions): Promise<QelosServer> {
    const server = await startQelosServer(options);
    this.#others.push(server);
    return server;
  }

  /** Takes back what was created since the last time, the latest first. */
  async tidy(): Promise<void> {
    for (const undo of this.#undo.splice(0).reverse()) await undo();
    for (const other of this.#others.splice(0)) await other.close();
  }

  async close(): Promise<void> {
    this.#wire.close();
    await this.control?.close();
  }
}
