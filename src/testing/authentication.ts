import type { IncomingHttpHeaders } from 'node:http';
import { TENANT } from './accounts';
import { type Answer, errorPage, refusal } from './answers';
import type { ApiTokens } from './api-tokens';
import type { AccessClaims, Sessions } from './sessions';

/** Who is calling, as their credential says it. */
export interface Caller {
  readonly via: 'api-key' | 'cookie' | 'bearer';
  readonly claims: Omit<AccessClaims, 'iat' | 'exp'>;
  /** The access token, where there is one: a logout ends its session. */
  readonly accessToken?: string;
}

export type Verdict =
  | { readonly caller: Caller }
  | { readonly refused: Answer }
  /** No credential, or one that counts as none. */
  | { readonly anonymous: true };

const anonymous: Verdict = { anonymous: true };

/** `qlt_` and the first eight characters of the tenant. */
export const SESSION_COOKIE = `qlt_${TENANT.slice(0, 8)}`;

/**
 * Decides by the first credential present: `x-api-key`, then the cookie, then `Authorization`. There is no fall-back: a
 * bad key beside a good bearer is refused. An empty `x-api-key` counts as absent.
 */
export class Authentication {
  readonly #sessions: Sessions;
  readonly #apiTokens: ApiTokens;

  constructor(sessions: Sessions, apiTokens: ApiTokens) {
    this.#sessions = sessions;
    this.#apiTokens = apiTokens;
  }

  judge(headers: IncomingHttpHeaders): Verdict {
    const key = headers['x-api-key'];
    if (key) return this.#judgeKey(String(key));
    const cookie = sessionCookie(headers.cookie);
    if (cookie) return this.#judgeCookie(cookie);
    if (headers.authorization) return this.#judgeAuthorization(headers.authorization);
    return anonymous;
  }

  #judgeKey(key: string): Verdict {
    const used = this.#apiTokens.use(key);
    // Unknown, malformed, expired, revoked, or of a workspace that is gone: the recording cannot tell them apart.
    if (used === undefined) return { refused: refusal(401, 'Invalid or expired API token') };
    const { user, workspace } = used;
    const { _id, username, email, firstName, lastName, roles } = user;
    const claims = { sub: _id, tenant: TENANT, username, email, firstName, lastName, roles, workspace };
    return { caller: { via: 'api-key', claims } };
  }

  #judgeCookie(cookie: string): Verdict {
    const claims = this.#sessions.verifyCookie(cookie);
    return claims === undefined ? anonymous : { caller: { via: 'cookie', claims } };
  }

  #judgeAuthorization(authorization: string): Verdict {
    // Whatever follows the first blank is the token, and the scheme is not looked at.
    const accessToken = authorization.split(' ')[1];
    // Recorded: `Bearer ` with nothing after it, or a value without a scheme, is an unhandled error of the server.
    if (accessToken === undefined) return { refused: errorPage(500) };
    if (accessToken === '') return anonymous;
    const claims = this.#sessions.verifyAccess(accessToken);
    if (claims === undefined) return { refused: refusal(401, 'authorization token is not valid.') };
    return { caller: { via: 'bearer', claims, accessToken } };
  }
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

/** What `GET /api/me` answers to this caller. Text is as the credential has it: a bearer's stays percent-encoded. */
export function profile({ claims }: Caller): object {
  const { sub, tenant, username, email, firstName, lastName, roles, workspace } = claims;
  const name = `${firstName} ${lastName}`;
  return {
    _id: sub,
    tenant,
    username,
    email,
    name,
    firstName,
    lastName,
    fullName: name,
    roles,
    metadata: {},
    workspace,
  };
}
