import type { AuthConfig } from '../config';
import type { AuthStrategy } from '../contract/auth-strategy';
import type { Environment } from '../tokens';
import { ApiTokenStrategy } from './api-token';
import { ApiTokenFileStrategy } from './api-token-file';
import { CliLoginStrategy } from './cli-login';
import { OAuthRefreshStrategy } from './oauth-refresh';
import { SessionStrategy } from './session';

interface BuiltIn {
  /** What pins it. */
  readonly name: string;
  readonly Strategy: new (config: AuthConfig, env: Environment) => AuthStrategy;
  /**
   * Whether a tenant may use it too. Not those that read files of this machine, nor `session`, whose rotated token a pool of
   * tenants would lose.
   */
  readonly isForTenants: boolean;
}

/** The strategies of ours in the order in which they are tried. The only such list. */
export const BUILT_IN: readonly BuiltIn[] = [
  { name: 'api-token', Strategy: ApiTokenStrategy, isForTenants: true },
  { name: 'api-token-file', Strategy: ApiTokenFileStrategy, isForTenants: false },
  { name: 'session', Strategy: SessionStrategy, isForTenants: false },
  { name: 'oauth-refresh', Strategy: OAuthRefreshStrategy, isForTenants: true },
  { name: 'cli-login', Strategy: CliLoginStrategy, isForTenants: false },
];

/** Makes them for one account. Once for each: `cli-login` looks for files as it is made. */
export function builtInStrategies(config: AuthConfig, env: Environment): AuthStrategy[] {
  return BUILT_IN.map(({ Strategy }) => new Strategy(config, env));
}

/** Makes those that a tenant may use; they read nothing but `config`. */
export function tenantStrategies(config: AuthConfig): AuthStrategy[] {
  return BUILT_IN.filter(({ isForTenants }) => isForTenants).map(({ Strategy }) => new Strategy(config, {}));
}
