import type { IncomingHttpHeaders } from 'node:http';
import { type Accounts, isPrivileged, type Membership, TENANT, type User } from './accounts';
import { type Answer, errorPage, refusal } from './answers';
import type { ApiTokens } from './api-tokens';
import type { AuthServiceState } from './auth-service-state';
import type { AccessClaims, Sessions } from './sessions';

/** Who is calling, as their credential says it. */
export interface Caller {
  readonly via: 'api-key' | 'cookie' | 'bearer';
  readonly claims: Omit<AccessClaims, 'iat' | 'exp'>;
  /** The access token, where there is one: a logout ends its session. */
  readonly accessToken?: string;
  /** Of the account that signed in: acting as somebody else does not take it away. */
  readonly isPrivileged: boolean;
}

export type Verdict =
  | { readonly caller: Caller }
  | { readonly refused: Answer }
  /** No credential, or one that counts as none. */
  | { readonly anonymous: true };

const anonymous: Verdict = { anonymous: true };

/** `qlt_` and the first eight characters of the tenant. */
export const SESSION_COOKIE = `qlt_${TENANT.slice(0, 8)}`;

/** What has to be known to tell who is calling. */
export interface Credentials {
  readonly accounts: Accounts;
  readonly sessions: Sessions;
  readonly apiTokens: ApiTokens;
  readonly state: AuthServiceState;
}

/**
 * Decides by the first credential present: `x-api-key`, then the cookie, then `Authorization`. There is no fall-back: a
 * bad key beside a good bearer is refused. An empty `x-api-key` counts as absent.
 */
export class Authentication {
  readonly #accounts: Accounts;
  readonly #sessions: Sessions;
  readonly #apiTokens: ApiTokens;
  readonly #state: AuthServiceState;

  constructor({ accounts, sessions, apiTokens, state }: Credentials) {
    this.#accounts = accounts;
    this.#sessions = sessions;
    this.#apiTokens = apiTokens;
    this.#state = state;
  }

  async judge(headers: IncomingHttpHeaders): Promise<Verdict> {
    const verdict = await this.#judgeCredential(headers);
    return 'caller' in verdict ? this.#impersonate(verdict.caller, headers) : verdict;
  }

  #judgeCredential(headers: IncomingHttpHeaders): Verdict | Promise<Verdict> {
    const key = headers['x-api-key'];
    if (key) return this.#judgeKey(String(key));
    const cookie = sessionCookie(headers.cookie);
    if (cookie) return this.#judgeCookie(cookie);
    if (headers.authorization) return this.#judgeAuthorization(headers.authorization);
    return anonymous;
  }

  async #judgeKey(key: string): Promise<Verdict> {
    let holder = this.#apiTokens.recall(key);
    if (holder === undefined && key.startsWith('ql_')) {
      // Recorded while the service is being deployed: a key it has to look up.
      if (!(await this.#state.reachDatabase(2))) return { refused: refusal(401, 'API token authentication failed') };
      holder = this.#apiTokens.lookUp(key);
    }
    // Unknown, malformed, expired, revoked, or of a workspace that is gone: the recording cannot tell them apart.
    if (holder === undefined) return { refused: refusal(401, 'Invalid or expired API token') };
    return { caller: callerOf('api-key', claimsOf(holder.user, holder.workspace)) };
  }

  #judgeCookie(cookie: string): Verdict {
    const claims = this.#sessions.verifyCookie(cookie);
    return claims === undefined ? anonymous : { caller: callerOf('cookie', claims) };
  }

  #judgeAuthorization(authorization: string): Verdict {
    // Whatever follows the first blank is the token, and the scheme is not looked at.
    const accessToken = authorization.split(' ')[1];
    // Recorded: `Bearer ` with nothing after it, or a value without a scheme, is an unhandled error of the server.
    if (accessToken === undefined) return { refused: errorPage(500) };
    if (accessToken === '') return anonymous;
    const claims = this.#sessions.verifyAccess(accessToken);
    if (claims === undefined) return { refused: refusal(401, 'authorization token is not valid.') };
    return { caller: { ...callerOf('bearer', claims), accessToken } };
  }

  /** Privileged accounts may act as somebody else, by two headers. For others the headers count for nothing. */
  async #impersonate(caller: Caller, headers: IncomingHttpHeaders): Promise<Verdict> {
    const userId = headers['x-impersonate-user'];
    if (!userId || !caller.isPrivileged) return { caller };
    const user = (await this.#state.reachDatabase()) ? this.#accounts.user(String(userId)) : undefined;
    if (user === undefined) return { refused: refusal(404, 'Impersonated user not found') };
    const workspaceId = headers['x-impersonate-workspace'];
    const workspace = workspaceId ? this.#accounts.membership(user._id, String(workspaceId)) : undefined;
    if (workspaceId && workspace === undefined) return { refused: refusal(500, 'Failed to impersonate user') };
    return { caller: { ...caller, claims: claimsOf(user, workspace) } };
  }
}

const callerOf = (via: Caller['via'], claims: Caller['claims']): Caller => ({
  via,
  claims,
  isPrivileged: isPrivileged(claims.roles),
});

function claimsOf(
  user: Pick<User, '_id' | 'username' | 'email' | 'firstName' | 'lastName' | 'roles'>,
  workspace: Membership | undefined,
): Caller['claims'] {
  const { _id, username, email, firstName, lastName, roles } = user;
  return { sub: _id, tenant: TENANT, username, email, firstName, lastName, roles, workspace };
}

/** The session cookie, or the one named `token` that older releases set. */
function sessionCookie(header = ''): string | undefined {
  const cookies = new Map(
    header.split(';').map((pair) => {
      const [name = '', ...value] = pair.split('=');
      return [name.trim(), value.join('=').trim()];
    }),
  );
  return cookies.get(SESSION_COOKIE) || cookies.get('token');
}
