import { type AuthStrategy, Credential, TenantAuth, type TenantAuthOptions } from '../../src';
import { whenDone } from '../support/when-done';

type Load = ConstructorParameters<typeof TenantAuth>[0];

/** A pool of tenants that is closed when the test is over. */
export function openTenants(load: Load, options: TenantAuthOptions = {}): TenantAuth {
  const tenants = new TenantAuth(load, options);
  whenDone(() => tenants.close());
  return tenants;
}

/** A strategy that gets its credential from nobody. */
export function strategyOf(name: string, key = 'k'): AuthStrategy {
  return { name, missing: () => [], signIn: async () => Credential.apiKey(key) };
}

/** Where tenants are that nothing is sent to. */
export const NOWHERE = { url: 'https://qelos.test' };
