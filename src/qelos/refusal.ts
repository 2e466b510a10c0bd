/** Says why an answer of the API, which stays an AxiosError, was a refusal of the credential or of the user. */
export type ApiAuthCode =
  /** The credential is good, the user lacks a role or permission. */
  | 'ERR_AUTH_FORBIDDEN'
  /** The API token was refused. */
  | 'ERR_AUTH_TOKEN_REFUSED'
  /** The session's access token was refused, also after a refresh where one was possible. */
  | 'ERR_AUTH_SESSION_REFUSED';

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

/** Message of an answer to a good credential whose user lacks a role. Recorded: it comes with 401, not 403. */
const NOT_PRIVILEGED = 'you are not privileged.';

/** Whether an answer is about the user's roles and not about the credential, so that a new credential cannot help. */
export function isAboutPrivileges(answer: { status: number; data: unknown }): boolean {
  return answer.status === 403 || messageOf(answer.data) === NOT_PRIVILEGED;
}

/** Whether an answer means, as far as Qelos tells, that the credential was refused. */
export function isRefusedCredential(answer: { status: number; data: unknown }): boolean {
  return answer.status === 401 && !isAboutPrivileges(answer);
}

/**
 * Explains a 401 or 403 of the API.
 *
 * @param answer - status and parsed body
 * @param apiToken - whether the request carried an API token
 */
export function explainRefusal(answer: { status: number; data: unknown }, apiToken: boolean): ApiRefusal {
  if (isAboutPrivileges(answer)) {
    return {
      authCode: 'ERR_AUTH_FORBIDDEN',
      hint: 'The credential is good, but its user may not do this. Give the user the role or permission that the route asks for (or use another user); signing in again does not help.',
    };
  }
  if (apiToken) {
    return {
      authCode: 'ERR_AUTH_TOKEN_REFUSED',
      hint: 'The API token is one of: expired, revoked, mistyped, of another Qelos instance, or bound to a workspace that is gone; the server does not say which. Create a new one and set QELOS_API_TOKEN. If other calls still work, the service behind this route did not see the credential: try again.',
    };
  }
  return {
    authCode: 'ERR_AUTH_SESSION_REFUSED',
    hint: 'The server refused a fresh session too, so a new one does not help. One of: the user was disabled or lost its workspace, the route belongs to a service that does not accept this user, or the gateway could not reach the auth service. Check the user in Qelos, then the logs of that service.',
  };
}

/** The `message` of a Qelos error body, if it has one. */
export function messageOf(data: unknown): string | undefined {
  if (typeof data !== 'object' || data === null || !('message' in data)) return undefined;
  return typeof data.message === 'string' ? data.message : undefined;
}
