import type { AuthConfig } from '../config';
import type { AuthStrategy } from '../contract/auth-strategy';
import { ApiTokenStrategy } from './api-token';
import { CliLoginStrategy } from './cli-login';
import { OAuthRefreshStrategy } from './oauth-refresh';

/** The strategies of ours in the order in which they are tried, each with the name that pins it. The only such list. */
export const BUILT_IN = [
  { name: 'api-token', Strategy: ApiTokenStrategy },
  { name: 'oauth-refresh', Strategy: OAuthRefreshStrategy },
  { name: 'cli-login', Strategy: CliLoginStrategy },
] as const;

/**
 * Makes those that `config` alone is enough for. `cli-login` is not among them: it reads the machine's environment and looks
 * for a file, which a tenant must not do and an instance does only once.
 */
export function strategiesOf(config: AuthConfig): AuthStrategy[] {
  return [new ApiTokenStrategy(config), new OAuthRefreshStrategy(config)];
}
