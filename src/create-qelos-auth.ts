import type { CreateAxiosDefaults } from 'axios';
import { Verifier } from './acting/verify';
import { type AuthConfig, DEFAULT_TIMEOUT_MS } from './config';
import type { StrategyObject, StrategyOption } from './contract/auth-strategy';
import type { CredentialStore } from './contract/credential-store';
import { CredentialManager } from './credentials/credential-manager';
import { nameOf } from './credentials/obtain-errors';
import { shareKey } from './credentials/sharing';
import { containerWith } from './di';
import { EventHub } from './events';
import { createBareClient } from './http/bare-client';
import { timeoutOf } from './http/limits';
import { Origin, warnOfInsecureUrl } from './http/origin';
import { checkedTransport, type Transport } from './http/transport';
import type { Logger } from './logger';
import { ownOptions } from './own-properties';
import { type InstanceOptions, QelosAuth } from './qelos-auth';
import { storeFromEnv } from './stores/store-from-env';
import { builtInStrategies } from './strategies/built-in';
import { loadConfigOrCli } from './strategies/cli-login';
import { StrategyResolver } from './strategies/resolver';
import { strategyContext } from './strategies/strategy-context';
import { AUTH_CONFIG, AUTH_ENV, type Environment } from './tokens';

export interface QelosAuthOptions extends InstanceOptions {
  /** Where settings are read from. Default: `process.env`, when the first of them is needed. */
  env?: Environment | undefined;
  /** Settings that win over `env`. */
  config?: Partial<AuthConfig> | undefined;
}

/**
 * One account on one Qelos instance, without a container of yours. Strategy classes may still inject `AUTH_CONFIG`, `AUTH_ENV` and
 * what tsyringe's global container holds.
 *
 * ```ts
 * const { http, sdk } = createQelosAuth(); // as QELOS_URL and the other variables say
 * ```
 *
 * @throws AuthError `ERR_AUTH_CONFIG`, `ERR_AUTH_INSECURE_URL` or `ERR_AUTH_NO_STRATEGY`
 */
export function createQelosAuth(options: QelosAuthOptions = {}): QelosAuth {
  const {
    env = process.env,
    config: overrides,
    strategies = [],
    store,
    axios,
    transport,
    logger,
  } = ownOptions(options);
  const config = loadConfigOrCli(env, overrides);
  const candidates = [...makeStrategies(strategies, config, env), ...builtInStrategies(config, env)];
  return assemble({ config, candidates, env, store, axios, transport, logger });
}

/** What an account is put together from: settings that are checked, and strategies that are made. */
export interface Assembly {
  config: AuthConfig;
  candidates: readonly StrategyObject[];
  /** Where a store is looked for if none is given. */
  env: Environment;
  store: CredentialStore | undefined;
  axios: CreateAxiosDefaults | undefined;
  transport: Transport | undefined;
  logger: Logger | undefined;
  /** What events call it. Default: the origin of its URL. */
  name?: string | undefined;
}

/** Puts an account together. All that a container adds is where its parts are from. */
export function assemble(assembly: Assembly): QelosAuth {
  const { config, candidates, env, store: given, axios, transport, logger, name } = assembly;
  const { url, timeoutMs = DEFAULT_TIMEOUT_MS, allowInsecureUrl } = config;
  const selection = new StrategyResolver(candidates).resolve(config.strategy);
  const { strategy } = selection;
  const connection = { ...(checkedTransport(transport) && { transport }), ...axios };
  const own = given ? undefined : storeFromEnv(env);
  const store = given ?? own?.store;
  const storeKey = store && shareKey(url, strategy);
  const events = new EventHub(name ?? new URL(url).origin, logger);
  const origin = new Origin(url);
  if (allowInsecureUrl && origin.isPlain) warnOfInsecureUrl();
  const manager = new CredentialManager({
    strategy,
    events,
    host: origin.host,
    context: (signal) => strategyContext(signal, { url, strategy: nameOf(strategy), connection, events }),
    timeoutMs,
    ...(storeKey !== undefined && { store, storeKey }),
  });
  const bare = (signal: AbortSignal) => createBareClient(url, origin, signal, connection);
  return new QelosAuth({
    url,
    selection,
    manager,
    verifier: new Verifier(bare, timeoutOf(connection) || timeoutMs),
    events,
    axios,
    transport,
    other: (config, options) => createQelosAuth({ transport, ...options, config, env: {} }),
    release: own?.close,
  });
}

/** Strategies as they were given; what was given twice counts once. Classes are made by a container. */
function makeStrategies(given: readonly StrategyOption[], config: AuthConfig, env: Environment): StrategyObject[] {
  const container = containerWith([
    [AUTH_CONFIG, config],
    [AUTH_ENV, env],
  ]);
  return [...new Set(given)].map((strategy) =>
    typeof strategy === 'function' ? container.resolve<StrategyObject>(strategy as never) : strategy,
  );
}
