export { type AuthConfig, loadAuthConfig } from './config';
export { createQelosAuth, type QelosAuthOptions, registerQelosAuth } from './container';
export { Credential, type CredentialOptions } from './credentials/credential';
export type { CredentialStore } from './credentials/credential-store';
export type { ProbeCall } from './diagnose/account';
export { type DiagnoseOptions, diagnose } from './diagnose/diagnose';
export type { Check, CheckId, CheckOutcome, Diagnosis } from './diagnose/diagnosis';
export {
  type ApiAuthCode,
  type ApiRefusal,
  AuthError,
  type AuthErrorCode,
  type AuthErrorDetails,
  apiRefusal,
  isAuthError,
} from './errors';
export type { AuthEvents } from './events';
export type { PluginPlayOptions } from './plugin-play/plugin-play-options';
export { type InstanceOptions, QelosAuth } from './qelos-auth';
export type * from './sdk/qelos-sdk.types';
export { ApiTokenStrategy } from './strategies/api-token-strategy';
export type { ApiAnswer, AuthContext, AuthStrategy, OutgoingRequest, StrategyOption } from './strategies/auth-strategy';
export { CliLoginStrategy } from './strategies/cli-login-strategy';
export { OAuthRefreshStrategy } from './strategies/oauth-refresh-strategy';
export { type Selection, StrategyResolver } from './strategies/strategy-resolver';
export type { TenantHandle } from './tenants/tenant';
export { TenantAuth, type TenantAuthOptions, type TenantEvents } from './tenants/tenant-auth';
export type { TenantConfig } from './tenants/tenant-settings';
export { AUTH_CONFIG, AUTH_STRATEGY, CREDENTIAL_STORE, QELOS_HTTP, QELOS_SDK } from './tokens';
