export type { Account } from './account';
export type { ActingHandle, Impersonated } from './acting/acting-for';
export type { IncomingHeaders, IncomingSource } from './acting/incoming-credential';
export type { VerifyOptions } from './acting/verify';
export { type AuthConfig, loadAuthConfig } from './config';
export { type RegisterOptions, registerActingFor, registerQelosAuth } from './container';
export { AuthError, type AuthErrorCode, type AuthErrorDetails, isAuthError } from './contract/auth-error';
export type {
  ApiAnswer,
  AuthContext,
  AuthStrategy,
  OutgoingRequest,
  RequiredAction,
  StrategyObject,
  StrategyOption,
} from './contract/auth-strategy';
export { type BearerOptions, Credential, type CredentialOptions } from './contract/credential';
export type {
  CredentialStore,
  LockOptions,
  SaveOptions,
  StoredCredential,
  StoreOptions,
  UnlockOptions,
} from './contract/credential-store';
export { createQelosAuth, type QelosAuthOptions } from './create-qelos-auth';
export type { ProbeCall } from './diagnose/account';
export { type DiagnoseOptions, diagnose } from './diagnose/diagnose';
export type { Check, CheckId, CheckOutcome, Diagnosis } from './diagnose/diagnosis';
export type { AuthEvent, AuthEvents, FailedEvent, ObtainedEvent } from './events';
export type { Transport } from './http/transport';
export type { Logger } from './logger';
export { type ApiAuthCode, type ApiRefusal, apiRefusal } from './qelos/refusal';
export { type InstanceOptions, QelosAuth } from './qelos-auth';
/** The types of the SDK's modules, and of what their methods take and give. */
export type * as QelosSdk from './sdk/qelos-sdk.types';
export type { QelosAdministratorSDK } from './sdk/qelos-sdk.types';
export { type EncryptionKey, encryptedStore } from './stores/encrypted-store';
export { ApiTokenStrategy } from './strategies/api-token';
export { ApiTokenFileStrategy } from './strategies/api-token-file';
export { CliLoginStrategy } from './strategies/cli-login';
export { OAuthRefreshStrategy } from './strategies/oauth-refresh';
export { type Selection, StrategyResolver } from './strategies/resolver';
export { TenantAuth, type TenantAuthOptions, type TenantEvents } from './tenants/tenant-auth';
export type { TenantConfig } from './tenants/tenant-settings';
export {
  AUTH_CONFIG,
  AUTH_ENV,
  AUTH_STRATEGY,
  CREDENTIAL_STORE,
  type Environment,
  QELOS_HTTP,
  QELOS_SDK,
  type QelosTokens,
  qelosTokens,
  type Token,
} from './tokens';
