import type { AuthConfig } from '../config';
import type { AuthStrategy } from '../contract/auth-strategy';
import { ApiTokenStrategy } from './api-token';
import { CliLoginStrategy } from './cli-login';
import { OAuthRefreshStrategy } from './oauth-refresh';
import { SessionStrategy } from './session';

/** The strategies of ours in the order in which they are tried, each with the name that pins it. The only such list. */
export const BUILT_IN = [
  { name: 'api-token', Strategy: ApiTokenStrategy },
  { name: 'session', Strategy: SessionStrategy },
  { name: 'oauth-refresh', Strategy: OAuthRefreshStrategy },
  { name: 'cli-login', Strategy: CliLoginStrategy },
] as const;

/**
 * Makes those that a tenant too may use. `cli-login` is not among them: it reads the machine's environment and looks for files,
 * which a tenant must not do and an instance does only once; nor is `session`, whose rotated token a pool of tenants would lose.
 */
export function strategiesOf(config: AuthConfig): AuthStrategy[] {
  return [new ApiTokenStrategy(config), new OAuthRefreshStrategy(config)];
}
