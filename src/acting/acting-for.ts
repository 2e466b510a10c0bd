import type { AxiosInstance } from 'axios';
import { Account, type AccountParts } from '../account';
import { AuthError } from '../contract/auth-error';
import type { AuthStrategy } from '../contract/auth-strategy';
import type { Credential } from '../contract/credential';
import type { CredentialSource } from '../http/credential-check';
import type { FixedHeaders } from '../http/credential-headers';
import type { ApiRefusal } from '../qelos/refusal';
import { IMPERSONATION } from '../sdk/other-credentials';
import type { QelosAdministratorSDK } from '../sdk/qelos-sdk.types';
import { type IncomingSource, incomingCredential } from './incoming-credential';

/** What calls as somebody else than the plugin are made with. Some µs to make and nothing to dispose of: one for each request. */
export interface ActingHandle {
  /** As `http` of `QelosAuth`, without the interceptors that were added to that. */
  readonly http: AxiosInstance;
  readonly fetch: typeof globalThis.fetch;
  readonly sdk: QelosAdministratorSDK;
}

/** Whom to act as. Identifiers (`_id`) of the instance. */
export interface Impersonated {
  readonly user: string;
  /** One of the user's workspaces. */
  readonly workspace?: string | undefined;
  /** Counts for accounts of the basic tenant alone. */
  readonly tenant?: string | undefined;
}

/** What a handle shares with the account that made it. */
export type HandleParts = Omit<AccountParts, 'source' | 'strategy'>;

/** An account that is put together when it is first called. Most requests that come in never call out. */
class Handle implements ActingHandle {
  readonly #make: () => Account;
  #account: Account | undefined;

  constructor(make: () => Account) {
    this.#make = make;
  }

  get http(): AxiosInstance {
    return this.#made.http;
  }

  get fetch(): typeof globalThis.fetch {
    return this.#made.fetch;
  }

  get sdk(): QelosAdministratorSDK {
    return this.#made.sdk;
  }

  get #made(): Account {
    this.#account ??= this.#make();
    return this.#account;
  }
}

/** @param ended - why nothing can be sent any more; undefined as long as it can */
export function actingFor(
  source: IncomingSource,
  parts: HandleParts,
  ended: () => AuthError | undefined,
): ActingHandle {
  const credential = incomingCredential(source);
  return new Handle(() => new Account({ ...parts, source: new Incoming(credential, ended), strategy: OF_THE_CALLER }));
}

/** How somebody's own credential is treated: put on as it came, and a 401 is the answer. */
const OF_THE_CALLER: AuthStrategy = {
  name: 'acting-for',
  missing: () => [],
  signIn: () => Promise.reject(noCredential()),
  isRejected: () => false,
};

/** One credential that nobody here can renew. It never leads to that of the plugin. */
class Incoming implements CredentialSource {
  constructor(
    readonly credential: Credential | undefined,
    readonly ended: () => AuthError | undefined,
  ) {}

  get(): Credential | Promise<Credential> {
    const error = this.ended();
    if (error) return Promise.reject(error);
    return this.credential ?? Promise.reject(noCredential());
  }

  stageOf(): 'living' {
    return 'living';
  }

  mayHaveEnded(): boolean {
    return false;
  }

  replayed(): void {}

  explain({ authCode, hint }: ApiRefusal): ApiRefusal {
    if (authCode === 'ERR_AUTH_UNAVAILABLE') return { authCode, hint };
    return { authCode, hint: authCode === 'ERR_AUTH_FORBIDDEN' ? FORBIDDEN : REFUSED };
  }
}

const FORBIDDEN =
  "The caller's credential is good, but its user may not do this. Answer with 403; nothing is wrong with the plugin.";
const REFUSED =
  "The credential that came in with the caller's request was refused: it has expired, was revoked, or is of another instance. Answer with 401, so that the caller signs in again.";

function noCredential(): AuthError {
  return new AuthError('ERR_AUTH_NO_CREDENTIAL', 'The caller sent no credential of Qelos, so nothing was sent.', {
    hint: "Answer with 401. If the caller did send one: a session cookie reaches the plugin only on the instance's own domain, and a bearer has to be an access token of Qelos. For calls as the plugin itself, use auth.http.",
  });
}

/**
 * The same account, acting as somebody else by the server's own headers, which count for privileged accounts alone. They are put
 * on when a request is sent, in the place of whatever a caller has set.
 *
 * @throws AuthError `ERR_AUTH_CONFIG` if an identifier cannot be one: without a user the account would act as itself
 */
export function impersonating(whom: Impersonated, parts: AccountParts): ActingHandle {
  const headers = impersonationOf(whom);
  return new Handle(() => new Account({ ...parts, headers }));
}

function impersonationOf({ user, workspace, tenant }: Impersonated): FixedHeaders {
  const isId = (value: unknown) => typeof value === 'string' && /^[\x21-\x7e]{1,200}$/.test(value);
  const faults = Object.entries({ user, workspace, tenant }).flatMap(([name, value]) =>
    isId(value) || (value === undefined && name !== 'user') ? [] : [name],
  );
  if (faults.length > 0) {
    throw new AuthError('ERR_AUTH_CONFIG', `impersonating() got no identifier as ${faults.join(' and ')}.`, {
      hint: 'Pass the _id of a user, and of a workspace or tenant if need be, as strings. Without a user the account would act as itself, so nothing was sent.',
    });
  }
  return [
    [`${IMPERSONATION}user`, user],
    [`${IMPERSONATION}workspace`, workspace],
    [`${IMPERSONATION}tenant`, tenant],
  ];
}
