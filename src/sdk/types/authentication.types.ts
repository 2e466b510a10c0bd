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

/** `sdk.authentication`: who is calling. */
export interface QlAuthentication extends QelosApi {
  /** The access token this SDK instance holds by itself; not the credential its requests carry. */
  readonly accessToken: string | undefined;
  /** Whether this SDK instance has been given an API token by `apiTokenSignin`. */
  readonly isApiTokenAuth: boolean;
  /** Signs in with cookies. Rejects with a plain `failed to login`, whatever the reason. */
  signin(credentials: ICredentials): Promise<{ payload: BasicPayload; headers: { 'set-cookie': string | null } }>;
  oAuthSignin(credentials: ICredentials): Promise<OAuthAnswer>;
  signup(information: ISignupInformation): Promise<{ payload: BasicPayload }>;
  oAuthSignup(information: ISignupInformation): Promise<OAuthAnswer>;
  /** Throws at once, rather than rejecting, when there is no refresh token to use. */
  refreshToken(refreshToken?: string): Promise<OAuthAnswer>;
  /** Makes this SDK instance send `apiToken` as `x-api-key` from now on, and resolves with its user. */
  apiTokenSignin(apiToken: string): Promise<IUser>;
  listApiTokens(): Promise<IApiToken[]>;
  /** `token` in the answer is the secret; the instance shows it only this once. */
  createApiToken(data: {
    nickname: string;
    workspace?: string;
    expiresAt: string;
  }): Promise<{ token: string; apiToken: IApiToken }>;
  deleteApiToken(tokenId: string): Promise<void>;
  logout(): Promise<Response>;
  getLoggedInUser(): Promise<IUser>;
  updateLoggedInUser(changes: Partial<IUser & { password?: string }>): Promise<IUser>;
}
