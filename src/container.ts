import { type AuthConfig, loadAuthConfig } from './config';
import { nameOf } from './credentials/obtain-errors';
import { type DependencyContainer, type InjectionToken, container as rootContainer } from './di';
import { checkedTransport } from './http/transport';
import { type InstanceOptions, QelosAuth } from './qelos-auth';
import { ApiTokenStrategy } from './strategies/api-token';
import { ApiTokenFileStrategy } from './strategies/api-token-file';
import { BUILT_IN, strategiesOf } from './strategies/built-in';
import { CliLoginStrategy, loadConfigOrCli } from './strategies/cli-login';
import { OAuthRefreshStrategy } from './strategies/oauth-refresh';
import { StrategyResolver } from './strategies/resolver';
import { SessionStrategy } from './strategies/session';
import { AUTH_CONFIG, AUTH_STRATEGY, CREDENTIAL_STORE, QELOS_HTTP, QELOS_SDK } from './tokens';

export interface QelosAuthOptions extends InstanceOptions {
  /** Where settings are read from. Default: `process.env`, when the first of them is needed. */
  env?: Readonly<Record<string, string | undefined>>;
  /** Settings that win over `env`. */
  config?: Partial<AuthConfig>;
}

/** What makes a container differ from its parent. */
const INPUTS = [AUTH_CONFIG, AUTH_STRATEGY, CREDENTIAL_STORE] as InjectionToken[];

/** Lets `container.dispose()` close what the container made; it disposes of instances of classes only. */
class Lifetime {
  auth: QelosAuth | undefined;

  dispose(): Promise<void> | undefined {
    return this.auth?.close();
  }
}

/**
 * Registers everything in a tsyringe container: `QELOS_HTTP`, `QELOS_SDK`, `QelosAuth`, `AUTH_CONFIG`, `StrategyResolver`,
 * and the built-in strategies under `AUTH_STRATEGY`. Nothing is read or checked until something of it is resolved.
 *
 * A child container shares its parent's instance, unless it has an `AUTH_CONFIG`, `AUTH_STRATEGY` or `CREDENTIAL_STORE` of
 * its own: then it gets an instance of its own, and so do its children. `container.dispose()` closes what it made.
 *
 * @throws nothing; resolving throws AuthError if the configuration is wrong. (tsyringe keeps only the message of an error
 *   that comes up inside a constructor's injection: resolve `QelosAuth` first.)
 */
export function registerQelosAuth(container: DependencyContainer, given: QelosAuthOptions = {}): void {
  // Without a prototype, so that a polluted one is nobody's option.
  const options: QelosAuthOptions = Object.assign(Object.create(null), given);
  const { env, config, strategies = [], store } = options;
  if (config || env || !container.isRegistered(AUTH_CONFIG)) {
    const load = once(() => loadConfigOrCli(env, config));
    container.register(AUTH_CONFIG, { useFactory: load });
  }
  for (const strategy of new Set(strategies)) {
    if (typeof strategy === 'function') container.register(AUTH_STRATEGY, { useClass: strategy as never });
    else container.register(AUTH_STRATEGY, { useValue: strategy });
  }
  container.register(AUTH_STRATEGY, { useClass: ApiTokenStrategy });
  container.register(AUTH_STRATEGY, { useClass: ApiTokenFileStrategy });
  container.register(AUTH_STRATEGY, { useClass: SessionStrategy });
  container.register(AUTH_STRATEGY, { useClass: OAuthRefreshStrategy });
  const cliLogin = (asked: DependencyContainer) =>
    new CliLoginStrategy(checked(asked.resolve(AUTH_CONFIG)), env ?? process.env);
  container.register(AUTH_STRATEGY, { useFactory: cliLogin });
  if (store) container.register(CREDENTIAL_STORE, { useValue: store });

  const made = new WeakMap<DependencyContainer, QelosAuth>();
  const authOf = (asked: DependencyContainer): QelosAuth => {
    const owner = ownerOf(asked, container);
    let auth = made.get(owner);
    if (!auth) {
      auth = makeAuth(owner, options);
      made.set(owner, auth);
      owner.resolve(Lifetime).auth = auth;
    }
    return auth;
  };
  container.register(StrategyResolver, { useFactory: (asked) => resolverOf(asked, env) });
  container.register(QelosAuth, { useFactory: authOf });
  container.register(QELOS_HTTP, { useFactory: (asked) => authOf(asked).http });
  container.register(QELOS_SDK, { useFactory: (asked) => authOf(asked).sdk });
}

/**
 * The same without touching a container of yours; strategy classes may still inject what the global one holds.
 *
 * @throws AuthError `ERR_AUTH_CONFIG`, `ERR_AUTH_INSECURE_URL` or `ERR_AUTH_NO_STRATEGY`
 */
export function createQelosAuth(options: QelosAuthOptions = {}): QelosAuth {
  const container = rootContainer.createChildContainer();
  registerQelosAuth(container, { env: process.env, ...options });
  return container.resolve(QelosAuth);
}

function makeAuth(container: DependencyContainer, { axios, env, transport, logger }: QelosAuthOptions): QelosAuth {
  const config = checked(container.resolve(AUTH_CONFIG));
  const selection = resolverOf(container, env, config).resolve(config.strategy);
  const store = container.isRegistered(CREDENTIAL_STORE, true) ? container.resolve(CREDENTIAL_STORE) : undefined;
  return new QelosAuth({
    config,
    selection,
    store,
    axios,
    transport: checkedTransport(transport),
    logger,
    other: (config, options) => makeOther(config, { ...(transport && { transport }), ...options }),
  });
}

/** Nothing registered in the global container counts here: it was meant for another instance. */
function makeOther(config: Partial<AuthConfig>, options: InstanceOptions): QelosAuth {
  const container = rootContainer.createChildContainer();
  if (!options.store) container.register(CREDENTIAL_STORE, { useFactory: () => undefined as never });
  registerQelosAuth(container, { ...options, config, env: {} });
  return container.resolve(QelosAuth);
}

/** A child that registers one strategy hides all those of its parent; the built-in ones are always there, and only once. */
function resolverOf(
  container: DependencyContainer,
  env: QelosAuthOptions['env'] = process.env,
  config = checked(container.resolve(AUTH_CONFIG)),
): StrategyResolver {
  const registered = [...new Set(container.resolveAll(AUTH_STRATEGY))]; // one that was registered twice counts once
  const custom = registered.filter((candidate) => !BUILT_IN.some(({ Strategy }) => candidate.constructor === Strategy));
  // Taken as it is: to make another one would be to look for the file once more.
  const cliLogin = registered.findLast((candidate) => nameOf(candidate) === 'cli-login');
  const builtIn = [
    ...strategiesOf(config),
    new ApiTokenFileStrategy(config),
    new SessionStrategy(config),
    cliLogin ?? new CliLoginStrategy(config, env),
  ];
  return new StrategyResolver([...custom, ...builtIn]);
}

/** A configuration that somebody registered as a plain object is checked like any other. */
function checked(config: AuthConfig): AuthConfig {
  return loadAuthConfig({}, config);
}

/** The nearest container, from the asked one up to the registering one, that has inputs of its own. */
function ownerOf(asked: DependencyContainer, home: DependencyContainer): DependencyContainer {
  // tsyringe keeps a container's parent to itself.
  const parentOf = (container: DependencyContainer) =>
    (container as unknown as { parent?: DependencyContainer }).parent;
  for (let current: DependencyContainer | undefined = asked; current && current !== home; current = parentOf(current)) {
    if (INPUTS.some((token) => (current as DependencyContainer).isRegistered(token))) return current;
  }
  return home;
}

function once<T>(make: () => T): () => T {
  let made: { value: T } | undefined;
  return () => {
    made ??= { value: make() };
    return made.value;
  };
}
