import { AuthError } from '../contract/auth-error';
import type { AuthContext } from '../contract/auth-strategy';
import type { Credential } from '../contract/credential';
import { errorFromAnswer, type Operation } from '../credentials/obtain-errors';
import { isOk } from '../http/fetch-request';
import type { IUser, QelosAdministratorSDK } from '../sdk/qelos-sdk.types';
import { SdkCalls } from '../sdk/sdk-calls';

/** Users that a sign-in has just learned of, so that the start-up need not ask for them a second time. */
const users = new WeakMap<Credential, IUser>();

/** The user that came with a credential; the second time nobody knows any more, as it may have changed. */
export function takeUser(credential: Credential): IUser | undefined {
  const user = users.get(credential);
  users.delete(credential);
  return user;
}

/** Loads the SDK at its first use: a strategy of one's own may never need it. */
export function loadSdk(): typeof import('../sdk/qelos-sdk') {
  return require('../sdk/qelos-sdk');
}

/** Knows whether the server has answered as it does to a success; what fails later fails by what the answer holds. */
class SignInCalls extends SdkCalls {
  isAnswered = false;

  override async json(...call: Parameters<SdkCalls['json']>): Promise<unknown> {
    const body = await super.json(...call);
    this.isAnswered = true;
    return body;
  }
}

/** The real SDK for one sign-in or refresh, over the bare client, with errors that say what the answer meant. */
export function signInSdk(
  url: string,
  context: AuthContext,
  operation: Operation,
): {
  sdk: QelosAdministratorSDK;
  /** Status of the answer that made a call fail. */
  lastStatus: () => number | undefined;
  lastBody: () => unknown;
  /** Whether an error is about an answer that lacks what the SDK takes out of it, and not about what is below the SDK. */
  isMissingPayload: (error: unknown) => boolean;
  remember: (credential: Credential, user: IUser) => Credential;
} {
  let failed: { status: number; body: unknown } | undefined;
  const calls = new SignInCalls({
    url,
    http: context.http,
    failure: ({ status, body, headers }) => {
      failed = { status, body };
      if (isOk(status)) return noSession(operation);
      const retryAfter = headers['retry-after'];
      return errorFromAnswer(operation, {
        status,
        retryAfter: typeof retryAfter === 'string' ? retryAfter : undefined,
      });
    },
  });
  const sdk = loadSdk().createQelosSdk(url, calls);
  return {
    sdk,
    lastStatus: () => failed?.status,
    lastBody: () => failed?.body,
    isMissingPayload: (error) => calls.isAnswered && error instanceof TypeError,
    remember(credential, user) {
      users.set(credential, user);
      return credential;
    },
  };
}

/** Says that an answer with a good status is not one of Qelos. */
export function noSession(operation: Operation): AuthError {
  return new AuthError('ERR_AUTH_BAD_RESPONSE', `The answer to the ${operation} is not one of Qelos.`, {
    hint: 'Check that QELOS_URL is the base URL of a Qelos instance (without /api), and that no proxy or log-in page stands in front of it.',
    retryable: true,
  });
}

/** Why a credential is not for the configured workspace; undefined if it is, or none is configured. */
export function workspaceMismatch(wanted: string | undefined, got: unknown, what: string): AuthError | undefined {
  if (wanted === undefined) return undefined;
  const id = typeof got === 'object' && got !== null && '_id' in got ? String(got._id) : undefined;
  if (id === wanted) return undefined;
  const bound = id === undefined ? 'to no workspace' : `to the workspace ${id}`;
  return new AuthError(
    'ERR_AUTH_WORKSPACE',
    `The ${what} is bound ${bound}, not to that of QELOS_WORKSPACE (${wanted}).`,
    {
      hint: 'Check the identifier, and that the user is a member of that workspace. An API token is bound when it is created: create one for this workspace, or remove QELOS_WORKSPACE.',
    },
  );
}
