/** Says why an answer of the API, which stays an AxiosError, was a refusal of the credential or of the user. */
export type ApiAuthCode =
  /** The credential is good: the user lacks a role or permission, the path is wrong, or the service behind did not see it. */
  | 'ERR_AUTH_FORBIDDEN'
  /** The API token was refused. */
  | 'ERR_AUTH_TOKEN_REFUSED'
  /** The session's access token was refused, also after a refresh where one was possible. */
  | 'ERR_AUTH_SESSION_REFUSED'
  /** The auth service could not say whether the credential is good: it is down, slow, or being deployed. */
  | 'ERR_AUTH_UNAVAILABLE';

/** What a 401 or 403 of the API gains. Read it with {@link apiRefusal}. */
export interface ApiRefusal {
  readonly authCode: ApiAuthCode;
  readonly hint: string;
}

/** What a 401 or 403 of the API means and what to do about it; undefined for any other error. */
export function apiRefusal(error: unknown): ApiRefusal | undefined {
  if (!(error instanceof Error) || !('authCode' in error)) return undefined;
  const { authCode, hint } = error as Error & ApiRefusal;
  return { authCode, hint };
}

/**
 * What an answer says by itself.
 *
 * - `'refused'`: the credential is not good.
 * - `'role'`: it is, and its user lacks a role or permission.
 * - `'path'`: no service has this path.
 * - `'unchecked'`: the auth service could not look.
 * - `'unclear'`: a 401 that may mean any of these.
 * - `'other'`: it is no refusal.
 */
export type Said = 'refused' | 'role' | 'path' | 'unchecked' | 'unclear' | 'other';

/** What the auth service answers to an API token while it cannot look one up, as while it is being deployed (row D03). */
export const NOT_CHECKED = 'API token authentication failed';

/** Texts of a 401 that leave no doubt, with the row of tests/conformance/rows that records each. */
const TEXTS = new Map<string | undefined, Said>([
  ['authorization token is not valid.', 'refused'], // C02–C05
  ['Invalid or expired API token', 'refused'], // C08–C11
  ['you are not privileged.', 'role'], // C13
  ['insufficient permissions', 'role'], // by source, not recorded
  ['plugin not exist', 'path'], // G12
  [NOT_CHECKED, 'unchecked'], // D03
]);

/** What an answer says by itself about the credential that it was given to. */
export function saidBy({ status, data }: { status: number; data: unknown }): Said {
  if (status === 403) return 'role';
  if (status !== 401) return 'other';
  return TEXTS.get(messageOf(data)) ?? 'unclear';
}

/** Whether an answer means, as far as its text tells, that the credential was refused. */
export function isRefusedCredential(answer: { status: number; data: unknown }): boolean {
  const said = saidBy(answer);
  return said === 'refused' || said === 'unclear';
}

/** What the auth service says of a credential: `'nobody'` if what answers there is no auth service. */
export type Standing = 'good' | 'refused' | 'untold' | 'nobody';

/**
 * Explains a 401 or 403 of the API.
 *
 * @param answer - status and parsed body
 * @param apiToken - whether the request carried an API token
 * @param known - what the auth service said of the credential, if it was asked; whether the request could be sent again
 */
export function explainRefusal(
  answer: { status: number; data: unknown },
  apiToken: boolean,
  { standing, canResend = true }: { standing?: Standing | undefined; canResend?: boolean } = {},
): ApiRefusal {
  const said = saidBy(answer);
  if (said === 'role') {
    return {
      authCode: 'ERR_AUTH_FORBIDDEN',
      hint: 'The credential is good, but its user may not do this. Give the user the role or permission that the route asks for (or use another user); signing in again does not help.',
    };
  }
  if (said === 'path') {
    return {
      authCode: 'ERR_AUTH_FORBIDDEN',
      hint: 'No service and no plugin of this Qelos instance has the path: Qelos says so with 401, whatever the credential. Check the path of the request, and that the plugin behind it is installed and running.',
    };
  }
  const again = canResend ? '' : ' Its body is a stream, so it was not sent again.';
  if (said === 'unchecked' || (said === 'unclear' && standing === 'untold')) {
    return {
      authCode: 'ERR_AUTH_UNAVAILABLE',
      hint: `The auth service of Qelos could not say whether the credential is good: it is down, overloaded, without its database or being deployed. The credential was kept. Try again later; if it lasts, look at the auth service.${again}`,
    };
  }
  if (said === 'unclear' && standing === 'good') {
    return {
      authCode: 'ERR_AUTH_FORBIDDEN',
      hint: `GET /api/me accepts the same credential, so it is good and was not renewed. One of: the user lacks the role that the route asks for, the path is wrong, or the service behind it did not see the credential (the gateway passes a call on as anonymous when the auth service is slow). Check the user's roles, the path, then the logs of that service.${again}`,
    };
  }
  if (apiToken) {
    return {
      authCode: 'ERR_AUTH_TOKEN_REFUSED',
      hint: `The API token is one of: expired, revoked, mistyped, of another Qelos instance, or bound to a workspace that is gone; the server does not say which. Create a new one and set QELOS_API_TOKEN.${again}`,
    };
  }
  return {
    authCode: 'ERR_AUTH_SESSION_REFUSED',
    hint: canResend
      ? 'The server refused a fresh session too, so a new one does not help. One of: the user was disabled or lost its workspace, the route belongs to a service that does not accept this user, or the gateway could not reach the auth service. Check the user in Qelos, then the logs of that service.'
      : 'The server refused the session. The body of the request is a stream, so it was not sent again; the session is renewed for the calls that follow. Send it again, from a new stream.',
  };
}

/** The `message` of a Qelos error body, if it has one. */
export function messageOf(data: unknown): string | undefined {
  if (typeof data !== 'object' || data === null || !('message' in data)) return undefined;
  return typeof data.message === 'string' ? data.message : undefined;
}
