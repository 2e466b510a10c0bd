import { expect, test } from '@jest/globals';
import { createQelosAuth, type QelosAuthOptions, TenantAuth, type TenantAuthOptions } from 'qelos-auth';
import { startBackend } from './support/backend';
import { whenDone } from './support/when-done';

const UNSET: { [Name in keyof Required<QelosAuthOptions>]: undefined } = {
  env: undefined,
  config: undefined,
  strategies: undefined,
  store: undefined,
  axios: undefined,
  transport: undefined,
  logger: undefined,
};

const UNSET_OF_TENANTS: { [Name in keyof Required<TenantAuthOptions>]: undefined } = {
  max: undefined,
  allowedHosts: undefined,
  strategies: undefined,
  axios: undefined,
  transport: undefined,
  logger: undefined,
  timeoutMs: undefined,
};

test('an option that is undefined is as good as left out', async () => {
  const { url, apiToken } = await startBackend();
  const before = { ...process.env };
  whenDone(() => {
    process.env = before;
  });
  process.env = { ...before, QELOS_URL: url, QELOS_API_TOKEN: apiToken };

  const auth = createQelosAuth(UNSET);
  whenDone(() => auth.close());
  const tenants = new TenantAuth(() => ({ url, apiToken }), UNSET_OF_TENANTS);
  whenDone(() => tenants.close());
  const other = auth.for({ url, apiToken, username: undefined }, { strategies: undefined, store: undefined });

  for (const { http } of [auth, other, await tenants.for('acme')])
    expect((await http.get('/api/me', { skipAuth: undefined })).status).toBe(200);
});
