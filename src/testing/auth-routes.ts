import { type Accounts, isObjectId, type User } from './accounts';
import { type Answer, empty, json, refusal } from './answers';
import type { ApiTokens } from './api-tokens';
import type { AuthGuards, HandleCaller } from './auth-guards';
import type { AuthServiceState } from './auth-service-state';
import { type Caller, SESSION_COOKIE } from './authentication';
import type { Handle, Route, WireRequest } from './routing';
import { serverNow } from './server-clock';
import type { Sessions, WriteConflict } from './sessions';

export interface AuthServices extends AuthGuards {
  readonly accounts: Accounts;
  readonly sessions: Sessions;
  readonly apiTokens: ApiTokens;
  readonly state: AuthServiceState;
}

/** Recorded from a real Qelos: API tokens a user may have at a time. */
const API_TOKEN_LIMIT = 10;

/** The roles this deployment lets manage API tokens; who has neither is told so. */
const API_TOKEN_ROLES: readonly string[] = ['admin', 'user'];

/** Signing in and out, one's own account, and API tokens. */
export function authRoutes(services: AuthServices): Route[] {
  const { accounts, sessions, signedIn } = services;
  return [
    ['POST', '/api/signin', (request) => signIn(services, request)],
    ['POST', '/api/signup', (request) => signUp(services, request)],
    ['POST', '/api/token/refresh', (request) => refresh(sessions, request)],
    [
      'POST',
      '/api/logout',
      signedIn(({ via, claims, accessToken }, request) => {
        if (via === 'cookie') {
          sessions.endCookie(claims);
          return empty(200, { 'set-cookie': setCookie(request, '', -1) });
        }
        // A key names no session, and works on.
        if (accessToken !== undefined) sessions.endByAccessToken(claims.sub, accessToken);
        return empty(200);
      }, empty(200)),
    ],
    ['GET', '/api/me', signedIn((caller) => json(200, profile(accounts, caller)))],
    [
      'POST',
      '/api/me',
      signedIn(
        ({ claims }, { body }) => {
          const user = accounts.user(claims.sub);
          if (user !== undefined) change(accounts, user, body);
          const { username, firstName, lastName, name, fullName, metadata } = body;
          return json(200, {
            _id: claims.sub,
            username: username || claims.username,
            email: claims.email,
            name,
            fullName,
            firstName: firstName || claims.firstName,
            lastName: lastName || claims.lastName,
            roles: claims.roles,
            metadata,
            workspace: claims.workspace,
          });
        },
        refusal(500, 'failed to update your user information'),
      ),
    ],
    ...apiTokenRoutes(services),
    // What MCP clients find; an admin has to switch the rest on.
    [
      'GET',
      '/.well-known/oauth-authorization-server',
      ({ headers }) => json(200, metadataOfAuthorization(headers.host)),
    ],
    ['GET', '/api/auth/mcp/authorize', () => refusal(503, 'MCP OAuth is not enabled')],
    ['POST', '/api/auth/mcp/token', () => refusal(503, 'MCP OAuth is not enabled')],
  ];
}

/** Authorization server metadata (RFC 8414, 2). */
function metadataOfAuthorization(host = ''): object {
  const issuer = `http://${host}`;
  return {
    issuer,
    authorization_endpoint: `${issuer}/api/auth/mcp/authorize`,
    token_endpoint: `${issuer}/api/auth/mcp/token`,
    response_types_supported: ['code'],
  };
}

/** What `GET /api/me` answers to this caller. Text is as the credential has it: a bearer's stays percent-encoded. */
export function profile(accounts: Accounts, { claims }: Caller): Record<string, unknown> {
  const { sub, tenant, username, email, firstName, lastName, roles, workspace } = claims;
  const name = `${firstName} ${lastName}`;
  const metadata = accounts.user(sub)?.metadata ?? {};
  return { _id: sub, tenant, username, email, name, firstName, lastName, fullName: name, roles, metadata, workspace };
}

/** Takes over what a body says about a user. Tokens handed out before say what they said. */
export function change(accounts: Accounts, user: User, body: WireRequest['body']): void {
  const { password, firstName, lastName, metadata } = body;
  if (isText(password)) accounts.setPassword(user, password);
  if (isText(firstName)) user.firstName = firstName;
  if (isText(lastName)) user.lastName = lastName;
  if (typeof metadata === 'object' && metadata !== null) user.metadata = metadata;
}

function apiTokenRoutes({ accounts, apiTokens, signedIn }: AuthServices): Route[] {
  const path = '/api/me/api-tokens';
  /** For callers who may manage API tokens: not with one of them, and not without a role that is allowed to. */
  const managing = (handle: HandleCaller, withoutDatabase: string): Handle =>
    signedIn(
      (caller, request, params) => {
        if (caller.via === 'api-key') {
          return refusal(403, 'API token management is not allowed via token authentication');
        }
        if (!caller.claims.roles.some((role) => API_TOKEN_ROLES.includes(role))) {
          return refusal(403, 'You do not have permission to manage API tokens');
        }
        return handle(caller, request, params);
      },
      refusal(500, withoutDatabase),
    );
  return [
    [
      'GET',
      path,
      managing(({ claims }) => {
        const list = apiTokens.list(claims.sub).map((apiToken) => {
          const { _id, nickname, tokenPrefix, expiresAt, lastUsedAt, created, usageCount } = apiToken;
          const scope = apiToken.workspace === null ? undefined : accounts.workspace(apiToken.workspace);
          const workspace = scope === undefined ? null : { _id: scope._id, name: scope.name };
          return { _id, nickname, tokenPrefix, expiresAt, lastUsedAt, workspace, created, usageCount };
        });
        return json(200, list);
      }, 'Failed to list API tokens'),
    ],
    [
      'POST',
      path,
      managing(({ claims }, { body }) => {
        const { nickname, expiresAt, workspace } = body;
        if (!nickname || !expiresAt) return refusal(400, 'nickname and expiresAt are required');
        const expiry = new Date(typeof expiresAt === 'number' ? expiresAt : String(expiresAt));
        if (!(expiry.getTime() > serverNow())) return refusal(400, 'expiresAt must be a valid future date');
        if (apiTokens.list(claims.sub).length >= API_TOKEN_LIMIT) {
          return refusal(400, `Maximum ${API_TOKEN_LIMIT} active tokens allowed per user`);
        }
        const scope = workspace ? String(workspace) : null;
        const user = accounts.user(claims.sub);
        // An access token outlives its user; a token for nobody cannot be stored, and neither can one for no identifier.
        if (user === undefined || (scope !== null && !isObjectId(scope))) {
          return refusal(500, 'Failed to create API token');
        }
        return json(201, apiTokens.issue(user, { nickname: String(nickname), expiresAt: expiry, workspace: scope }));
      }, 'Failed to create API token'),
    ],
    [
      'DELETE',
      `${path}/:id`,
      managing(({ claims }, _request, { id = '' }) => {
        // Recorded: the database refuses to look for what is no id.
        if (!isObjectId(id)) return refusal(500, 'Failed to delete API token');
        const deleted = apiTokens.delete(claims.sub, id);
        return deleted ? json(200, { message: 'Token revoked' }) : refusal(404, 'Token not found');
      }, 'Failed to delete API token'),
    ],
  ];
}

const wrongCredentials = json(401, { errors: { general: { message: 'Invalid username or password' } } });

async function signIn({ accounts, sessions, state }: AuthServices, request: WireRequest): Promise<Answer> {
  const { username, password, authType = 'cookie', roles, workspace } = request.body;
  if (typeof password !== 'string' || password.trim() === '') {
    return json(401, { errors: { password: { code: 'EMPTY_PASSWORD' } } });
  }
  if (!isText(username)) return json(401, { errors: { password: 'password is incorrect' } });

  // Recorded: a database that is out of reach reads as a wrong password.
  if (!(await state.reachDatabase())) return wrongCredentials;
  const user = accounts.userNamed(username.trim());
  const hasRole = !Array.isArray(roles) || roles.some((role) => user?.roles.includes(role));
  if (user === undefined || !hasRole || !accounts.passwordMatches(user, password)) return wrongCredentials;
  if (authType !== 'oauth' && authType !== 'cookie') {
    return json(401, { errors: { general: { code: 'INVALID_AUTH_TYPE' } } });
  }

  // A workspace that cannot be selected is no reason to refuse: the session simply has none. Who names none goes on in
  // the one of the last sign-in, or in the first if that one had none.
  const membership = accounts.membership(user._id, workspace ? String(workspace) : user.lastWorkspace);
  const payload = { user: signedInUser(user), workspace: membership };
  if (authType === 'cookie') {
    const cookie = await sessions.signInWithCookie(user, membership);
    if (typeof cookie !== 'string') return conflict(cookie);
    return json(200, { payload }, { 'set-cookie': setCookie(request, cookie, sessions.cookieSeconds) });
  }
  const pair = await sessions.signIn(user, membership);
  return 'token' in pair ? json(200, { payload: { ...pair, ...payload } }) : conflict(pair);
}

/** Recorded: what is wrong with a sign-up is said with status 200. */
function signUp(services: AuthServices, request: WireRequest): Answer | Promise<Answer> {
  const { username, password, firstName, lastName } = request.body;
  const errors = {
    ...(!isText(username) && { username: { code: 'INVALID_USERNAME' } }),
    ...(!isText(firstName) && { firstName: { code: 'INVALID_NAME' } }),
    ...((!isText(password) || password.trim().length < 8) && { password: { code: 'INVALID_PASSWORD' } }),
  };
  if (!isText(username) || !isText(password) || Object.keys(errors).length > 0) return json(200, { errors });
  if (services.accounts.userNamed(username) !== undefined) return json(200, { errors: { email: 'DUPLICATED_EMAIL' } });
  services.accounts.addUser({
    username,
    password,
    firstName: isText(firstName) ? firstName : undefined,
    lastName: isText(lastName) ? lastName : undefined,
  });
  return signIn(services, request);
}

/** Recorded: a conflict of writes looks like a refusal, but is gone when the sign-in is sent again. */
function conflict(general: WriteConflict): Answer {
  return json(401, { errors: { general } });
}

/** The token comes in `Authorization`; a body is ignored. Everything that goes wrong is a 401 that says nothing. */
async function refresh(sessions: Sessions, { headers }: WireRequest): Promise<Answer> {
  const refreshed = await sessions.refresh(headers.authorization?.split(' ')[1] ?? '');
  if (refreshed === undefined) return empty(401);
  const { user, token, refreshToken } = refreshed;
  return json(200, { payload: { user: { email: user.email, roles: user.roles }, token, refreshToken } });
}

/** The `Set-Cookie` of a session, in the recorded order of its attributes. */
export function setCookie({ headers }: Pick<WireRequest, 'headers'>, value: string, seconds: number): string {
  const host = hostnameOf(headers.host);
  const expires = new Date(serverNow() + seconds * 1000).toUTCString();
  return (
    `${SESSION_COOKIE}=${value}; Max-Age=${seconds}; Domain=${host}; Path=/api; Expires=${expires}; ` +
    'HttpOnly; Secure; SameSite=None'
  );
}

/** The host of a `Host` header, without the port. */
export function hostnameOf(host = ''): string {
  return host.replace(/:\d*$/, '').toLowerCase();
}

function signedInUser({ username, email, firstName, lastName, roles }: User): object {
  return { username, email, firstName, lastName, name: `${firstName} ${lastName}`, roles };
}

export function isText(value: unknown): value is string {
  return typeof value === 'string' && value !== '';
}
