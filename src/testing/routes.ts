import type { IncomingHttpHeaders } from 'node:http';
import { type Accounts, isPrivileged, TENANT, type User, type Workspace } from './accounts';
import { type Answer, empty, errorPage, json, refusal } from './answers';
import type { ApiTokens } from './api-tokens';
import { type Authentication, type Caller, profile, SESSION_COOKIE } from './authentication';
import type { Entities, Entity } from './entities';
import { serverNow } from './server-clock';
import type { Sessions, WriteConflict } from './sessions';

/** A request as the services get it: body parsed, and `{}` where there was none that could be. */
export interface WireRequest {
  readonly method: string;
  readonly path: string;
  readonly headers: IncomingHttpHeaders;
  readonly body: Readonly<Record<string, unknown>>;
}

export interface Services {
  readonly accounts: Accounts;
  readonly sessions: Sessions;
  readonly apiTokens: ApiTokens;
  readonly authentication: Authentication;
  readonly entities: Entities;
  /** Whether the auth service fails to answer the gateway, which asks it who is calling. Asking counts as a request. */
  readonly meFails: () => boolean;
}

type Params = Readonly<Record<string, string>>;
type Handle = (request: WireRequest, params: Params) => Answer | Promise<Answer>;
type HandleCaller = (caller: Caller, request: WireRequest, params: Params) => Answer;

/** Recorded from a real Qelos: API tokens a user may have at a time. */
const API_TOKEN_LIMIT = 10;

/** The roles this deployment lets manage API tokens; who has neither is told so. */
const API_TOKEN_ROLES: readonly string[] = ['admin', 'user'];

/** Finds the answer of the services behind the gateway, or of Express when no route is theirs. */
export function createRouter(services: Services): (request: WireRequest) => Answer | Promise<Answer> {
  const routes = [...authRoutes(services), ...entityRoutes(services)].map(([method, path, handle]) => ({
    method,
    // As Express matches: letter case and a slash at the end do not count.
    pattern: new RegExp(`^${path.replace(/:(\w+)/g, '(?<$1>[^/]+)')}/?$`, 'i'),
    handle,
  }));

  return (request) => {
    const version = /^\/api\/(v\d+)(?:\/|$)/.exec(request.path)?.[1];
    // Version 1 in the path is known and yet routed nowhere: it goes on to the 404.
    if (version !== undefined && version !== 'v1') return refusal(400, `Unsupported API version: ${version}`);
    const method = request.method === 'HEAD' ? 'GET' : request.method;
    for (const route of routes) {
      const match = route.method === method ? route.pattern.exec(request.path) : null;
      if (match !== null) return route.handle(request, match.groups ?? {});
    }
    return errorPage(404, `Cannot ${request.method} ${request.path}`);
  };
}

type Route = readonly [method: 'GET' | 'POST' | 'PUT' | 'DELETE', path: string, handle: Handle];

function authRoutes(services: Services): Route[] {
  const { accounts, sessions, apiTokens, authentication } = services;

  /** For callers who are signed in. */
  const signedIn = (handle: HandleCaller): Handle => {
    return (request, params) => {
      const verdict = authentication.judge(request.headers);
      if ('refused' in verdict) return verdict.refused;
      if ('anonymous' in verdict) return refusal(401, 'you are not authorized. must be logged in.');
      return handle(verdict.caller, request, params);
    };
  };

  /** For callers with a privileged role. The real answer to others is 401, though 403 is documented. */
  const privileged = (handle: HandleCaller): Handle =>
    signedIn((caller, request, params) =>
      isPrivileged(caller.claims.roles) ? handle(caller, request, params) : refusal(401, 'you are not privileged.'),
    );

  /** For callers who may manage API tokens: not with one of them, and not without a role that is allowed to. */
  const managingApiTokens = (handle: HandleCaller): Handle =>
    signedIn((caller, request, params) => {
      if (caller.via === 'api-key') {
        return refusal(403, 'API token management is not allowed via token authentication');
      }
      if (!caller.claims.roles.some((role) => API_TOKEN_ROLES.includes(role))) {
        return refusal(403, 'You do not have permission to manage API tokens');
      }
      return handle(caller, request, params);
    });

  /** For members of the workspace in the path, and for the privileged. */
  const inWorkspace = (handle: (workspace: Workspace, caller: Caller, request: WireRequest) => Answer): Handle =>
    signedIn((caller, request, { id = '' }) => {
      const workspace = accounts.workspace(id);
      const { roles, sub } = caller.claims;
      if (workspace === undefined || !(isPrivileged(roles) || workspace.members.has(sub))) {
        return json(404, { message: 'workspace not found', from: 'get-workspace' });
      }
      return handle(workspace, caller, request);
    });

  return [
    ['POST', '/api/signin', (request) => signIn(services, request)],
    ['POST', '/api/token/refresh', (request) => refresh(services, request)],
    [
      'POST',
      '/api/logout',
      signedIn(({ via, claims, accessToken }) => {
        if (via === 'cookie') {
          sessions.endCookie(claims);
          return empty(200, { 'set-cookie': setCookie('', '; Max-Age=0') });
        }
        // A key names no session, and works on.
        if (accessToken !== undefined) sessions.endByAccessToken(claims.sub, accessToken);
        return empty(200);
      }),
    ],
    ['GET', '/api/me', signedIn((caller) => json(200, profile(caller)))],

    [
      'GET',
      '/api/me/api-tokens',
      managingApiTokens(({ claims }) => {
        const list = apiTokens.list(claims.sub).map((apiToken) => {
          const { _id, nickname, tokenPrefix, expiresAt, lastUsedAt, created, usageCount } = apiToken;
          const scope = apiToken.workspace === null ? undefined : accounts.workspace(apiToken.workspace);
          const workspace = scope === undefined ? null : { _id: scope._id, name: scope.name };
          return { _id, nickname, tokenPrefix, expiresAt, lastUsedAt, workspace, created, usageCount };
        });
        return json(200, list);
      }),
    ],
    [
      'POST',
      '/api/me/api-tokens',
      managingApiTokens(({ claims }, { body }) => {
        const { nickname, expiresAt, workspace } = body;
        if (!nickname || !expiresAt) return refusal(400, 'nickname and expiresAt are required');
        const expiry = new Date(typeof expiresAt === 'number' ? expiresAt : String(expiresAt));
        if (!(expiry.getTime() > serverNow())) return refusal(400, 'expiresAt must be a valid future date');
        if (apiTokens.list(claims.sub).length >= API_TOKEN_LIMIT) {
          return refusal(400, `Maximum ${API_TOKEN_LIMIT} active tokens allowed per user`);
        }
        const user = accounts.user(claims.sub);
        // An access token outlives its user; a token for nobody cannot be stored.
        if (user === undefined) return refusal(500, 'Failed to create API token');
        const wanted = {
          nickname: String(nickname),
          expiresAt: expiry,
          workspace: workspace ? String(workspace) : null,
        };
        return json(201, apiTokens.issue(user, wanted));
      }),
    ],
    [
      'DELETE',
      '/api/me/api-tokens/:id',
      managingApiTokens(({ claims }, _request, { id = '' }) => {
        // Recorded: the database refuses to look for what is no id.
        if (!/^[0-9a-f]{24}$/i.test(id)) return refusal(500, 'Failed to delete API token');
        const deleted = apiTokens.delete(claims.sub, id);
        return deleted ? json(200, { message: 'Token revoked' }) : refusal(404, 'Token not found');
      }),
    ],

    ['GET', '/api/users', privileged(() => json(200, accounts.users().map(publicUser)))],
    [
      'POST',
      '/api/users',
      privileged((_caller, { body }) => {
        const { username, password, roles, firstName, lastName } = body;
        if (!isText(username) || !isText(password) || accounts.userNamed(username) !== undefined) {
          return refusal(400, 'user creation failed');
        }
        const user = accounts.addUser({
          username,
          password,
          roles: Array.isArray(roles) ? roles.map(String) : undefined,
          firstName: isText(firstName) ? firstName : undefined,
          lastName: isText(lastName) ? lastName : undefined,
        });
        return json(200, publicUser(user));
      }),
    ],
    [
      'DELETE',
      '/api/users/:id',
      privileged((_caller, _request, { id = '' }) => {
        accounts.removeUser(id);
        return json(200, { _id: id, tenant: TENANT });
      }),
    ],

    [
      'GET',
      '/api/workspaces',
      signedIn(({ claims }) => {
        const mine = accounts.workspaces().flatMap(({ _id, name, members }) => {
          const roles = members.get(claims.sub);
          if (roles === undefined) return [];
          const member = { user: claims.sub, roles };
          return [{ _id, name, tenant: TENANT, members: [member], isPrivilegedUser: roles.includes('admin') }];
        });
        return json(200, mine);
      }),
    ],
    [
      'POST',
      '/api/workspaces',
      signedIn(({ claims }, { body }) => {
        if (!isText(body['name'])) return refusal(500, 'failed to create workspace');
        const labels = Array.isArray(body['labels']) ? body['labels'].map(String) : [];
        const workspace = accounts.addWorkspace({ name: body['name'], labels });
        workspace.members.set(claims.sub, ['admin', 'user']);
        return json(200, publicWorkspace(workspace));
      }),
    ],
    ['GET', '/api/workspaces/:id', inWorkspace((workspace) => json(200, publicWorkspace(workspace)))],
    [
      'DELETE',
      '/api/workspaces/:id',
      inWorkspace((workspace, { claims }) => {
        const admin = isPrivileged(claims.roles) || workspace.members.get(claims.sub)?.includes('admin');
        if (!admin) return refusal(403, 'not authorized');
        if (claims.workspace?._id === workspace._id) return refusal(400, 'You cannot remove your active workspace.');
        accounts.removeWorkspace(workspace._id);
        return json(200, publicWorkspace(workspace));
      }),
    ],
    [
      'POST',
      '/api/workspaces/:id/activate',
      inWorkspace((workspace, { via, claims }) => {
        const user = accounts.user(claims.sub);
        // The active workspace is a matter of the cookie: the server exchanges it, and fails where there is none.
        if (via !== 'cookie' || user === undefined) return refusal(500, 'failed to activate workspace');
        sessions.endCookie(claims);
        const { _id, name, labels, members } = workspace;
        const cookie = sessions.issueCookie(user, { _id, name, roles: members.get(user._id) ?? ['admin'], labels });
        return json(200, publicWorkspace(workspace), { 'set-cookie': setCookie(cookie) });
      }),
    ],
  ];
}

/**
 * Services other than auth. The gateway asks `GET /api/me` who is calling, and passes the call on as anonymous when the
 * credential is refused and just so when it gets no answer: then a good credential meets a 401 with an empty body.
 */
function entityRoutes({ authentication, entities, meFails }: Services): Route[] {
  const behindGateway = (handle: HandleCaller): Handle => {
    return (request, params) => {
      const { authorization, cookie, 'x-api-key': key } = request.headers;
      // The gateway looks for the session cookie alone, not for the older `token`.
      const asks = authorization || key || cookie?.includes('qlt_');
      if (!asks || meFails()) return empty(401);
      const verdict = authentication.judge(request.headers);
      return 'caller' in verdict ? handle(verdict.caller, request, params) : empty(401);
    };
  };
  const withEntity = (handle: (entity: Entity, request: WireRequest) => Answer): Handle =>
    behindGateway((_caller, request, { blueprint = '', identifier = '' }) => {
      const entity = entities.get(blueprint, identifier);
      return entity === undefined ? refusal(404, 'entity not found') : handle(entity, request);
    });

  const all = '/api/blueprints/:blueprint/entities';
  const one = `${all}/:identifier`;
  return [
    ['GET', all, behindGateway((_caller, _request, { blueprint = '' }) => json(200, entities.list(blueprint)))],
    [
      'POST',
      all,
      behindGateway((caller, { body }, { blueprint = '' }) =>
        json(200, entities.create(blueprint, metadataOf(body), caller)),
      ),
    ],
    ['GET', one, withEntity((entity) => json(200, entity))],
    ['PUT', one, withEntity((entity, { body }) => json(200, entities.update(entity, metadataOf(body))))],
    [
      'DELETE',
      one,
      withEntity((entity) => {
        entities.delete(entity);
        return json(200, entity);
      }),
    ],
  ];
}

async function signIn({ accounts, sessions }: Services, { body }: WireRequest): Promise<Answer> {
  const { username, password, authType = 'cookie', roles, workspace } = body;
  if (typeof password !== 'string' || password.trim() === '') {
    return json(401, { errors: { password: { code: 'EMPTY_PASSWORD' } } });
  }
  if (!isText(username)) return json(401, { errors: { password: 'password is incorrect' } });

  const user = accounts.userNamed(username.trim());
  const hasRole = !Array.isArray(roles) || roles.some((role) => user?.roles.includes(role));
  if (user === undefined || !hasRole || !accounts.passwordMatches(user, password)) {
    return json(401, { errors: { general: { message: 'Invalid username or password' } } });
  }
  if (authType !== 'oauth' && authType !== 'cookie') {
    return json(401, { errors: { general: { code: 'INVALID_AUTH_TYPE' } } });
  }

  // A workspace that cannot be selected is no reason to refuse: the session simply has none.
  const membership = accounts.membership(user._id, workspace ? String(workspace) : undefined);
  const payload = { user: signedInUser(user), workspace: membership };
  if (authType === 'cookie') {
    const cookie = await sessions.signInWithCookie(user, membership);
    if (typeof cookie !== 'string') return conflict(cookie);
    return json(200, { payload }, { 'set-cookie': setCookie(cookie) });
  }
  const pair = await sessions.signIn(user, membership);
  return 'token' in pair ? json(200, { payload: { ...pair, ...payload } }) : conflict(pair);
}

/** Recorded: a conflict of writes looks like a refusal, but is gone when the sign-in is sent again. */
function conflict(general: WriteConflict): Answer {
  return json(401, { errors: { general } });
}

/** The token comes in `Authorization`; a body is ignored. Everything that goes wrong is a 401 that says nothing. */
async function refresh({ sessions }: Services, { headers }: WireRequest): Promise<Answer> {
  const refreshed = await sessions.refresh(headers.authorization?.split(' ')[1] ?? '');
  if (refreshed === undefined) return empty(401);
  const { user, token, refreshToken } = refreshed;
  return json(200, { payload: { user: { email: user.email, roles: user.roles }, token, refreshToken } });
}

function setCookie(value: string, more = ''): string {
  return `${SESSION_COOKIE}=${value}; HttpOnly; Secure; SameSite=None; Path=/api${more}`;
}

function signedInUser({ username, email, firstName, lastName, roles }: User): object {
  return { username, email, firstName, lastName, name: `${firstName} ${lastName}`, roles };
}

function publicUser({ _id, username, firstName, lastName, roles }: User): object {
  return { _id, username, firstName, lastName, roles };
}

function publicWorkspace({ _id, name, labels, members }: Workspace): object {
  return { _id, name, labels, members: [...members].map(([user, roles]) => ({ user, roles })) };
}

function metadataOf({ metadata }: WireRequest['body']): object {
  return typeof metadata === 'object' && metadata !== null ? metadata : {};
}

function isText(value: unknown): value is string {
  return typeof value === 'string' && value !== '';
}
