import { AuthError } from '../contract/auth-error';

/** What Qelos looks at to see who is calling, in this order. */
export const CREDENTIAL_HEADERS: readonly string[] = ['x-api-key', 'cookie', 'authorization'];

/** How the headers begin that let an account act as somebody else. */
export const IMPERSONATION = 'x-impersonate-';

/**
 * Routes that are about a credential in the call's body, headers or query, or about the session of a browser. Read at
 * qelos-io/qelos, `apps/auth/server/routes`: `auth.ts`, `mcp-oauth.ts`.
 */
const OF_ANOTHER =
  /^\/+(?:api\/+(?:signin|signup|token\/+refresh|cookie\/+refresh|auth\/.+)|\.well-known\/.+)\/*(?:[?#]|$)/i;

const LOGOUT = /^\/+api\/+logout\/*(?:[?#]|$)/i;

/**
 * Whether a call is about another credential than ours, so that ours must not answer for it.
 *
 * @param path - below the base URL
 * @throws AuthError `ERR_AUTH_CONFIG` for a logout that does not say whose session it ends
 */
export function isAboutAnother(path: string, headers: RequestInit['headers']): boolean {
  if (OF_ANOTHER.test(path)) return true;
  if (!LOGOUT.test(path)) return false;
  const given = new Headers(headers);
  if (CREDENTIAL_HEADERS.some((name) => given.has(name))) return true;
  throw new AuthError('ERR_AUTH_CONFIG', 'A logout by the SDK would end the session that all of its calls share.', {
    hint: "To stop using the session, call close() of the QelosAuth. To end the session of somebody else, name it: auth.http.post('/api/logout', undefined, { skipAuth: true, headers: { authorization: 'Bearer …' } }).",
  });
}

/** Says that an SDK has one account, whatever its headers are. */
export function otherCredential(header: string): AuthError {
  return new AuthError(
    'ERR_AUTH_CONFIG',
    `setCustomHeader('${header}', …) names another credential, but the SDK sends that of its own account.`,
    {
      hint: `To check an API token, use sdk.authentication.apiTokenSignin(token). For one call with another credential, use auth.http with { skipAuth: true, headers: { '${header}': … } }; for another account, auth.for({ url, … }).sdk.`,
    },
  );
}

/** Says that there is no session of whoever signed in last. */
export function noRefreshToken(): AuthError {
  return new AuthError('ERR_AUTH_CONFIG', 'refreshToken() was called without a refresh token.', {
    hint: 'The SDK keeps no tokens of those who sign in through it: keep the refreshToken of the answer, and pass it. The account of the SDK itself needs none; it is refreshed automatically.',
  });
}
