import type { AuthConfig } from '../config';
import type { AuthStrategy } from '../contract/auth-strategy';
import { ApiTokenStrategy } from './api-token';
import { ApiTokenFileStrategy } from './api-token-file';
import { CliLoginStrategy } from './cli-login';
import { OAuthRefreshStrategy } from './oauth-refresh';

/** The strategies of ours in the order in which they are tried, each with the name that pins it. The only such list. */
export const BUILT_IN = [
  { name: 'api-token', Strategy: ApiTokenStrategy },
  { name: 'api-token-file', Strategy: ApiTokenFileStrategy },
  { name: 'oauth-refresh', Strategy: OAuthRefreshStrategy },
  { name: 'cli-login', Strategy: CliLoginStrategy },
] as const;

/** Makes those that do nothing but ask the instance. The others read files of this machine, which no tenant may have read. */
export function strategiesOf(config: AuthConfig): AuthStrategy[] {
  return [new ApiTokenStrategy(config), new OAuthRefreshStrategy(config)];
}
