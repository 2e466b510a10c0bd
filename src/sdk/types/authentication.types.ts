import type { QelosApi } from './base.types';

/** A user as the instance describes them. Instances add fields of their own. */
export interface IUser {
  _id: string;
  username: string;
  email: string;
  phone?: string;
  fullName: string;
  firstName: string;
  lastName: string;
  birthDate: string;
  roles: string[];
  metadata: any;
  [key: string]: any;
}

/** What `signin` and `oAuthSignin` send. */
export interface ICredentials {
  username: string;
  password: string;
  /** Refuse the sign-in unless the user has one of these. */
  roles?: string[];
  /** Id of the workspace the session works in. The SDK's own declaration omits it, yet sends it on. */
  workspace?: string;
}

/** What an answer to a sign-in or a refresh tells about the user. */
export interface BasicPayload {
  user: IUser;
}

/** What `oAuthSignin`, `oAuthSignup` and `refreshToken` resolve with. */
export interface OAuthAnswer {
  payload: BasicPayload & { token: string; refreshToken: string };
}

/** What `signup` and `oAuthSignup` send. */
export interface ISignupInformation {
  username: string;
  email?: string;
  phone?: string;
  password: string;
  fullName?: string;
  firstName: string;
  lastName: string;
  birthDate: string;
}

/** A personal API token, without its secret. */
export interface IApiToken {
  _id: string;
  nickname: string;
  /** The start of the token, to recognise it by. */
  tokenPrefix: string;
  expiresAt: string;
  lastUsedAt?: string;
  workspace?: string;
  created: string;
}

/**
 * `sdk.authentication`: who is calling. What is about a credential other than the account's own goes with what it is given,
 * for that call alone: it changes nothing of what other calls send, and nothing is kept of its answer.
 */
export interface QlAuthentication extends QelosApi {
  /** None: the SDK holds no token by itself. */
  readonly accessToken: string | undefined;
  /** False, whatever the credential of the account is: the SDK holds no token by itself. */
  readonly isApiTokenAuth: boolean;
  /** Signs somebody in with cookies. Rejects with a plain `failed to login`, whatever the reason. */
  signin(credentials: ICredentials): Promise<{ payload: BasicPayload; headers: { 'set-cookie': string | null } }>;
  /** Signs somebody in. The tokens are in the answer alone. */
  oAuthSignin(credentials: ICredentials): Promise<OAuthAnswer>;
  signup(information: ISignupInformation): Promise<{ payload: BasicPayload }>;
  /** Signs somebody up. The tokens are in the answer alone. */
  oAuthSignup(information: ISignupInformation): Promise<OAuthAnswer>;
  /**
   * Refreshes the session of somebody who signed in through the SDK; that of the account itself is refreshed automatically.
   *
   * @param refreshToken - of the answer that began the session, or of the last refresh
   * @throws AuthError `ERR_AUTH_CONFIG` without one; at once, rather than rejecting, as in the published SDK
   */
  refreshToken(refreshToken?: string): Promise<OAuthAnswer>;
  /** Resolves with the user whose API token this is; rejects with the status 401 if it is refused. */
  apiTokenSignin(apiToken: string): Promise<IUser>;
  listApiTokens(): Promise<IApiToken[]>;
  /** `token` in the answer is the secret; the instance shows it only this once. */
  createApiToken(data: {
    nickname: string;
    workspace?: string;
    expiresAt: string;
  }): Promise<{ token: string; apiToken: IApiToken }>;
  deleteApiToken(tokenId: string): Promise<void>;
  /**
   * Ends the session of nobody: that of the account is shared by all calls.
   *
   * @throws AuthError `ERR_AUTH_CONFIG`; its hint says what to use
   */
  logout(): Promise<Response>;
  getLoggedInUser(): Promise<IUser>;
  updateLoggedInUser(changes: Partial<IUser & { password?: string }>): Promise<IUser>;
}
