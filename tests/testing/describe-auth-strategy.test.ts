import { describe, it } from '@jest/globals';
import { ApiTokenStrategy, type AuthStrategy, OAuthRefreshStrategy } from '../../src';
import { describeAuthStrategy, type QelosServer } from '../../src/testing';

/** Under a name of its own, as the library always adds its own strategies. */
const renamed = <S extends AuthStrategy>(strategy: S): S => Object.assign(strategy, { name: `${strategy.name}-tried` });

function apiToken(server: QelosServer) {
  const token = server.issueApiToken();
  return {
    strategy: renamed(new ApiTokenStrategy({ url: server.url, apiToken: token })),
    unconfigured: renamed(new ApiTokenStrategy({ url: server.url })),
    secrets: [token],
    refuse: () => server.revokeApiToken(token),
    hang: () => server.fail('/api/me', 'hang'),
  };
}

function oauthRefresh(server: QelosServer) {
  const [{ username, password } = { username: '', password: '' }] = server.users;
  return {
    strategy: renamed(new OAuthRefreshStrategy({ url: server.url, username, password })),
    unconfigured: renamed(new OAuthRefreshStrategy({ url: server.url })),
    secrets: [password],
    refuse() {
      for (const path of ['/api/signin', '/api/token/refresh']) server.fail(path, { status: 401 });
    },
    hang() {
      for (const path of ['/api/signin', '/api/token/refresh']) server.fail(path, 'hang');
    },
  };
}

describeAuthStrategy('api-token', { describe, it, create: apiToken });
describeAuthStrategy('oauth-refresh', { describe, it, create: oauthRefresh });
