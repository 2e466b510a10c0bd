import type { AuthConfig } from '../config';
import type { AuthStrategy } from '../contract/auth-strategy';
import { ApiTokenStrategy } from './api-token';
import { ApiTokenFileStrategy } from './api-token-file';
import { CliLoginStrategy } from './cli-login';
import { OAuthRefreshStrategy } from './oauth-refresh';
import { SessionStrategy } from './session';

/** The strategies of ours in the order in which they are tried, each with the name that pins it. The only such list. */
export const BUILT_IN = [
  { name: 'api-token', Strategy: ApiTokenStrategy },
  { name: 'api-token-file', Strategy: ApiTokenFileStrategy },
  { name: 'session', Strategy: SessionStrategy },
  { name: 'oauth-refresh', Strategy: OAuthRefreshStrategy },
  { name: 'cli-login', Strategy: CliLoginStrategy },
] as const;

/**
 * Makes those that a tenant too may use. The others are not among them: they read files of this machine, and `cli-login` looks
 * for one, which an instance does only once; and a pool of tenants would lose the rotated token of a `session`.
 */
export function strategiesOf(config: AuthConfig): AuthStrategy[] {
  return [new ApiTokenStrategy(config), new OAuthRefreshStrategy(config)];
}
