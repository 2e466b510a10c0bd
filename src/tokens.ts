import type { AxiosInstance } from 'axios';
import type { AuthConfig } from './config';
import type { AuthStrategy } from './contract/auth-strategy';
import type { CredentialStore } from './contract/credential-store';
import type { QelosAuth } from './qelos-auth';
import type { QelosAdministratorSDK } from './sdk/qelos-sdk.types';

/**
 * A symbol that any container takes as a token. tsyringe and inversify also read from its type what it stands for; it is no
 * class at run time.
 */
export type Token<T> = symbol & (new (...args: never[]) => T);

/** Where settings are read from, such as `process.env`. */
export type Environment = Readonly<Record<string, string | undefined>>;

/** The axios instance that authenticates every request it sends to the Qelos instance. */
export const QELOS_HTTP = tokenOf<AxiosInstance>('http');

/** The Qelos administrator SDK, on the same pipeline as {@link QELOS_HTTP}. */
export const QELOS_SDK = tokenOf<QelosAdministratorSDK>('sdk');

/**
 * The checked {@link AuthConfig}. Register your own (even a plain object) to configure one container differently: before
 * `registerQelosAuth` or after it, it takes the place of the options `env` and `config`.
 */
export const AUTH_CONFIG = tokenOf<AuthConfig>('config');

/** Where the settings were read from, for those of a strategy of your own: the option `env`, or `process.env`. */
export const AUTH_ENV = tokenOf<Environment>('env');

/** The candidates to choose from; a multi token: register one class per strategy, inject with `@injectAll`. */
export const AUTH_STRATEGY = tokenOf<AuthStrategy>('strategy');

/** Optional: where credentials are shared between processes. See {@link CredentialStore}. */
export const CREDENTIAL_STORE = tokenOf<CredentialStore>('credential-store');

/** The tokens of an account that was registered with a name. */
export interface QelosTokens {
  readonly http: Token<AxiosInstance>;
  readonly sdk: Token<QelosAdministratorSDK>;
  readonly auth: Token<QelosAuth>;
}

/**
 * The tokens of the account that `registerQelosAuth(container, { name })` registers; the same for the same name.
 *
 * ```ts
 * constructor(@inject(qelosTokens('audit').http) private readonly audit: AxiosInstance) {}
 * ```
 */
export function qelosTokens(name: string): QelosTokens {
  return { http: tokenOf(`http:${name}`), sdk: tokenOf(`sdk:${name}`), auth: tokenOf(`auth:${name}`) };
}

/** One for all copies of the library in a process. */
function tokenOf<T>(name: string): Token<T> {
  return Symbol.for(`qelos-auth:${name}`) as Token<T>;
}
