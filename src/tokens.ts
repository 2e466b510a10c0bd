import type { AxiosInstance } from 'axios';
import type { InjectionToken } from 'tsyringe';
import type { AuthConfig } from './config';
import type { AuthStrategy } from './contract/auth-strategy';
import type { CredentialStore } from './contract/credential-store';
import type { QelosAdministratorSDK } from './sdk/qelos-sdk.types';

/** The axios instance that authenticates every request it sends to the Qelos instance. */
export const QELOS_HTTP: InjectionToken<AxiosInstance> = Symbol.for('qelos-auth:http');

/** The Qelos administrator SDK, on the same pipeline as {@link QELOS_HTTP}. */
export const QELOS_SDK: InjectionToken<QelosAdministratorSDK> = Symbol.for('qelos-auth:sdk');

/** The checked {@link AuthConfig}. Register your own (even a plain object) to configure one container differently. */
export const AUTH_CONFIG: InjectionToken<AuthConfig> = Symbol.for('qelos-auth:config');

/** The candidates to choose from; a multi token: register one class per strategy, inject with `@injectAll`. */
export const AUTH_STRATEGY: InjectionToken<AuthStrategy> = Symbol.for('qelos-auth:strategy');

/** Optional: where credentials are shared between processes. See {@link CredentialStore}. */
export const CREDENTIAL_STORE: InjectionToken<CredentialStore> = Symbol.for('qelos-auth:credential-store');
