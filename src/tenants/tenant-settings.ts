import { type AuthConfig, loadAuthConfig } from '../config';
import { AuthError, isAuthError, kindOf } from '../contract/auth-error';
import type { StrategyObject } from '../contract/auth-strategy';
import { Origin, warnOfInsecureUrl } from '../http/origin';
import { tenantStrategies } from '../strategies/built-in';
import { type Selection, StrategyResolver } from '../strategies/resolver';
import { AllowedHosts } from './allowed-hosts';

/**
 * A tenant's settings, by the names of {@link AuthConfig}; nothing of them is read from the environment or from a file. No
 * session that exists: its rotated refresh token would be lost whenever the tenant makes room for another one.
 */
export type TenantConfig = Omit<AuthConfig, 'timeoutMs' | 'apiTokenFile' | 'accessToken' | 'refreshToken'>;

/** Gives the settings of a tenant, or `undefined` if there is none of that name. */
type LoadTenant = (tenant: string) => Promise<TenantConfig | undefined> | TenantConfig | undefined;

/** What is checked of a tenant's settings, and what they are made into. */
interface TenantSettingsOptions {
  strategies?: ((config: AuthConfig, tenant: string) => readonly StrategyObject[]) | undefined;
  allowedHosts?: readonly string[] | undefined;
}

/** A tenant's settings, checked, and the strategy that was chosen from them. */
export interface LoadedTenant extends Selection {
  readonly url: string;
}

/**
 * The settings that a tenant may have. Types are no boundary for what comes from a database: what is not named here is refused
 * at run time. A token's file, above all, would be one of this machine, and its content would go to the tenant's URL.
 */
const SETTINGS: Readonly<Record<keyof TenantConfig, true>> = {
  url: true,
  apiToken: true,
  username: true,
  password: true,
  workspace: true,
  strategy: true,
  allowInsecureUrl: true,
};

/** Names of settings longer than this are not shown: who mixed up names and values would find a secret in the log. */
const MOST_SHOWN = { names: 5, characters: 30 };

/** The way from a tenant's name to what it signs in with. */
export class TenantSettings {
  readonly #load: LoadTenant;
  readonly #strategies: TenantSettingsOptions['strategies'];
  readonly #allowedHosts: AllowedHosts | undefined;
  #hasWarned = false;

  /** @throws AuthError `ERR_AUTH_CONFIG` if one of `allowedHosts` is no host */
  constructor(load: LoadTenant, { strategies, allowedHosts }: TenantSettingsOptions) {
    this.#load = load;
    this.#strategies = strategies;
    this.#allowedHosts = allowedHosts && new AllowedHosts(allowedHosts);
  }

  /**
   * Loads a tenant's settings, checks them, and chooses its strategy.
   *
   * @throws AuthError (as a rejection) why there is none; `ERR_AUTH_UNAVAILABLE` if loading fails
   */
  async of(tenant: string): Promise<LoadedTenant> {
    const config = loadAuthConfig({}, await this.#given(tenant));
    if (this.#allowedHosts?.allow(config.url) === false) throw hostNotAllowed();
    if (config.allowInsecureUrl && new Origin(config.url).isPlain && !this.#hasWarned) {
      this.#hasWarned = true;
      warnOfInsecureUrl();
    }
    return { url: config.url, ...this.#choose(config, tenant) };
  }

  async #given(tenant: string): Promise<Partial<TenantConfig>> {
    try {
      return pick(await this.#load(tenant));
    } catch (error) {
      throw isAuthError(error) ? error : loadFailed(error);
    }
  }

  #choose(config: AuthConfig, tenant: string): Selection {
    try {
      const custom = this.#strategies?.(config, tenant) ?? [];
      const candidates = [...custom, ...tenantStrategies(config)];
      return new StrategyResolver(candidates).resolve(config.strategy);
    } catch (error) {
      throw isAuthError(error) ? error : strategiesFailed(error);
    }
  }
}

/** The settings alone, and nothing that anybody put on a prototype. */
function pick(given: unknown): Partial<TenantConfig> {
  if (given === undefined || given === null) throw unknownTenant();
  if (typeof given !== 'object') {
    throw new AuthError('ERR_AUTH_CONFIG', `Its settings are of type ${typeof given}.`, {
      hint: 'Let the function that was given to TenantAuth return an object, such as { url, apiToken }. Text of JSON has to be parsed.',
    });
  }
  const unknown = Object.keys(given).filter((name) => !Object.hasOwn(SETTINGS, name));
  if (unknown.length > 0) throw unknownSettings(unknown);
  const own = Object.keys(SETTINGS).filter((name) => Object.hasOwn(given, name));
  return Object.fromEntries(own.map((name) => [name, (given as TenantConfig)[name as keyof TenantConfig]]));
}

function unknownTenant(): AuthError {
  return new AuthError('ERR_AUTH_CONFIG', 'There are no settings for it.', {
    hint: 'The function that was given to TenantAuth returned none. Check the name; forget() makes it be asked again at once.',
  });
}

function unknownSettings(names: readonly string[]): AuthError {
  const { names: most, characters } = MOST_SHOWN;
  const shown = names
    .slice(0, most)
    .map((name) => (name.length > characters ? `a name of ${name.length} characters` : JSON.stringify(name)));
  if (names.length > most) shown.push(`${names.length - most} more`);
  return new AuthError('ERR_AUTH_CONFIG', `It has settings that no tenant can have: ${shown.join(', ')}.`, {
    hint: `Let the function that was given to TenantAuth return nothing but ${Object.keys(SETTINGS).join(', ')}: pick these from what is stored. The time-out is an option of TenantAuth, and a token comes as apiToken, never as a file.`,
  });
}

function hostNotAllowed(): AuthError {
  return new AuthError('ERR_AUTH_CONFIG', 'The host of its url is not one of allowedHosts.', {
    hint: 'Correct the url of the tenant. If it is right, add its host (with the port, where it has one) to the option allowedHosts of TenantAuth.',
  });
}

function loadFailed(error: unknown): AuthError {
  return new AuthError('ERR_AUTH_UNAVAILABLE', `Its settings could not be loaded: ${kindOf(error)} was thrown.`, {
    hint: 'Look at the function that was given to TenantAuth, and at what it reads from. Throw an AuthError there to say more; the text of other errors is not shown, as it could hold a secret. Loading is retried automatically.',
    retryable: true,
  });
}

function strategiesFailed(error: unknown): AuthError {
  return new AuthError('ERR_AUTH_BAD_RESPONSE', `Its strategies could not be made: ${kindOf(error)} was thrown.`, {
    hint: 'Look at the option strategies of TenantAuth: it returns an array of strategies. Throw an AuthError there to say more; the text of other errors is not shown, as it could hold a secret.',
  });
}
